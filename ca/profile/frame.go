package profile

import "sync"

// frame is what the certificates of one place, base address and issuer have in
// common, encoded once: the attributes of the subject and the extensions that
// follow from these three alone. What also follows from the request is nil and
// encoded each time. The bytes are the same either way, and the lints read them
// all again.
type frame struct {
	rdns       [][]byte
	extensions [][]byte
}

type frameKey struct {
	place  Place
	base   string
	issuer string // key identifier
}

// frames are the frames of one profile. There are some 1,900 municipalities.
type frames struct {
	mu  sync.Mutex
	all map[frameKey]*frame
}

const maxFrames = 4096

// frame returns the frame of a resident's certificate; other certificates are
// rare, and theirs is empty.
func (p *Profile) frame(in *input) *frame {
	if p.file.Role != Resident {
		return p.newFrame(nil)
	}
	key := frameKey{in.req.Place, in.req.BaseURL, string(in.req.Issuer.KeyID)}
	p.frames.mu.Lock()
	defer p.frames.mu.Unlock()
	f := p.frames.all[key]
	if f == nil {
		f = p.newFrame(&input{req: &Request{Issuer: in.req.Issuer}, vars: in.req.Place.vars(in.req.BaseURL)})
		if p.frames.all == nil || len(p.frames.all) >= maxFrames {
			p.frames.all = map[frameKey]*frame{}
		}
		p.frames.all[key] = f
	}
	return f
}

// newFrame encodes what it can from common alone: a template that needs a
// variable of the request has no value for it there, and is left for later.
func (p *Profile) newFrame(common *input) *frame {
	f := &frame{make([][]byte, len(p.file.Subject)), make([][]byte, len(p.file.Extensions))}
	if common == nil {
		return f
	}
	for i, a := range p.file.Subject {
		if filled, err := common.vars.fill(a); err == nil {
			f.rdns[i] = filled.append(nil)
		}
	}
	for i := range p.file.Extensions {
		e := &p.file.Extensions[i]
		if e.SubjectAlt != nil && e.SubjectAlt.Attributes || e.SubjectKey != nil || e.Ordinal != nil {
			continue
		}
		if ext, err := e.encode(common); err == nil {
			f.extensions[i] = ext
		}
	}
	return f
}
