package policy

import (
	"net/http"
	"slices"
	"strconv"
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

// LinkMetadata is the metadata of a request that a link server is about to
// make with exactly LinkHeader.
func LinkMetadata(path string) Metadata {
	return Metadata{Method: http.MethodPost, Path: path, Header: LinkHeader()}
}

// Clean reports whether the metadata is a POST to path with nothing but the
// fixed headers, each once and with its one value; bodyLen is the length of
// the body, the only value that Content-Length may have.
func (m Metadata) Clean(path string, bodyLen int) bool {
	if m.Method != http.MethodPost || m.Path != path || m.Trailers != 0 {
		return false
	}
	allowed := map[string]string{
		"Accept-Encoding": "gzip", "Content-Length": strconv.Itoa(bodyLen),
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
