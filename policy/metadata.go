package policy

import (
	"net/http"
	"slices"
	"strconv"

	"github.com/sukashi-project/sukashi/policy/pad"
)

// Paths of the messages between the link servers.
const (
	PathHolders = "/link/v1/holders" // M1
	PathNotices = "/link/v1/notices" // M3
	PathCounts  = "/link/v1/counts"  // the daily counts
)

// LinkUserAgent is the one User-Agent of the link servers.
const LinkUserAgent = "sukashi-link/1"

// LinkContentType is the one content type of the link servers' requests.
const LinkContentType = "application/octet-stream"

// Metadata is what a request says beside its body. Whatever a sender could
// choose there is a place to hide data in, so only fixed values are clean
// (N406, H406).
type Metadata struct {
	Method   string
	Path     string // path with query, exactly as on the request line
	Header   map[string][]string
	Trailers int // number of announced trailer fields
	// Wire is the number of body bytes on the wire, which must be what package
	// pad gives the message; 0 before the request is made. Unpadded says that
	// the body was not the wire form of a message.
	Wire     int
	Unpadded bool
}

// LinkHeader returns the headers that a link server sets on its requests. Go's
// client adds Accept-Encoding and Content-Length, which are allowed too.
func LinkHeader() http.Header {
	return http.Header{"Content-Type": {LinkContentType}, "User-Agent": {LinkUserAgent}}
}

// RequestMetadata returns the metadata of a request, on either side.
func RequestMetadata(r *http.Request) Metadata {
	return Metadata{Method: r.Method, Path: r.URL.RequestURI(), Header: r.Header, Trailers: len(r.Trailer)}
}

// Arrived takes the padding off a body that arrived at a path of the link. A
// body that is not padded in the one way is returned as it is, and the
// metadata are not clean.
func Arrived(r *http.Request, wire []byte) ([]byte, Metadata) {
	m := RequestMetadata(r)
	m.Wire = len(wire)
	message, ok := pad.Message(wire, floor(r.URL.Path))
	if !ok {
		m.Unpadded = true
		return wire, m
	}
	return message, m
}

// Padded is a message as it goes on the wire to a path of the link.
func Padded(path string, message []byte) []byte { return pad.Wire(message, floor(path)) }

// WireSize is the largest number of bytes on the wire for messages of at most
// n bytes to a path.
func WireSize(path string, n int) int { return pad.Size(floor(path), n) }

func floor(path string) int {
	if path == PathHolders {
		return pad.List
	}
	return pad.Fixed
}

// LinkMetadata is the metadata of a request that a link server is about to
// make with exactly LinkHeader.
func LinkMetadata(path string) Metadata {
	return Metadata{Method: http.MethodPost, Path: path, Header: LinkHeader()}
}

// Clean reports whether the metadata is a POST to path with nothing but the
// fixed headers, each once and with its one value, and a body padded to the
// length that a message of bodyLen bytes has on the wire: the only value that
// Content-Length may have.
func (m Metadata) Clean(path string, bodyLen int) bool {
	wire := WireSize(path, bodyLen)
	if m.Method != http.MethodPost || m.Path != path || m.Trailers != 0 || m.Unpadded || m.Wire != 0 && m.Wire != wire {
		return false
	}
	allowed := map[string]string{
		"Accept-Encoding": "gzip", "Content-Length": strconv.Itoa(wire),
		"Content-Type": LinkContentType, "User-Agent": LinkUserAgent,
	}
	for name, values := range m.Header {
		want, ok := allowed[name]
		if !ok || !slices.Equal(values, []string{want}) {
			return false
		}
	}
	return len(m.Header["Content-Type"]) == 1 && len(m.Header["User-Agent"]) == 1
}
