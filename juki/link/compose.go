package link

import (
	"context"

	"github.com/sukashi-project/sukashi/internal/say"
	"github.com/sukashi-project/sukashi/juki/match"
	"github.com/sukashi-project/sukashi/ledger/entry"
	"github.com/sukashi-project/sukashi/policy"
	"github.com/sukashi-project/sukashi/policy/holders"
	"github.com/sukashi-project/sukashi/policy/notice"
)

// fix makes one notice's bytes and its entry, or nil when it is not to be sent.
func (s *Server) fix(ctx context.Context, i match.Intent, seq uint64, n *Sent) (*match.Fixed, error) {
	gone, err := s.c.Engine.Gone(i.Ordinal)
	if err != nil {
		return nil, err
	}
	if gone {
		n.Withdrawn++
		return nil, s.c.Engine.Withdraw(i.ID)
	}
	h, err := i.HolderCopy()
	if err != nil {
		return nil, err
	}
	b, err := compose(s.c.Mode, seq, h)
	if err != nil {
		return nil, s.stop(i, []string{say.Code(err)}, n)
	}
	d, err := s.decide(ctx, i, h, seq, b)
	if err != nil {
		return nil, err
	}
	if !d.Allow {
		return nil, s.stop(i, d.Codes, n)
	}
	e, err := sentEntry(h, s.c.Mode, seq, b, d, entry.At(s.c.Now()))
	if err != nil {
		return nil, err
	}
	return &match.Fixed{ID: i.ID, Seq: seq, Bytes: b, Entry: e}, nil
}

func (s *Server) stop(i match.Intent, codes []string, n *Sent) error {
	n.Stopped++
	s.c.Logger.Warn("a notice was refused by the sender's policy", "codes", codes)
	return s.c.Engine.Stop(i.ID, codes)
}

// compose makes the notice for a holder. Everything in it follows from the
// sequence and what was certified: there is nothing to choose.
func compose(mode string, seq uint64, h holders.Holder) ([]byte, error) {
	m := notice.Notice{Mode: mode, Seq: seq}
	if mode == notice.Echo {
		four := h.Certified.Attributes()
		m.Echo = &four
	} else {
		m.Ordinal = h.Ordinal
	}
	return m.Marshal()
}

func sentEntry(h holders.Holder, mode string, seq uint64, b []byte, d entry.Decision, at entry.Time) ([]byte, error) {
	digest, err := h.Key.Notice(seq, b)
	if err != nil {
		return nil, err
	}
	holder, err := h.Key.Holder(seq, h.Ordinal)
	if err != nil {
		return nil, err
	}
	body := &entry.NoticeSent{Decision: d, Digest: digest, Holder: holder, Mode: mode, Notice: seq}
	return entry.Entry{At: at, By: entry.ByNoticeSender, Seq: seq, Body: body}.Marshal()
}

func (s *Server) decide(ctx context.Context, i match.Intent, h holders.Holder, seq uint64, b []byte) (entry.Decision, error) {
	secrets, err := s.secrets(i.Cause.Records)
	if err != nil {
		return entry.Decision{}, err
	}
	issued := true
	if s.c.Issued != nil {
		if issued, err = s.c.Issued(ctx, h.Ordinal); err != nil {
			return entry.Decision{}, errLedger(err)
		}
	}
	subject, err := h.Key.Subject(h.Certified.Slots())
	if err != nil {
		return entry.Decision{}, err
	}
	check := policy.NoticeSendCheck{Bytes: b, Mode: s.c.Mode, Sender: entry.ByNoticeSender, Addressee: entry.ByCALink,
		NextSeq: seq, Secrets: secrets, Metadata: policy.LinkMetadata(policy.PathNotices),
		Match: policy.Referred{Issued: issued, Ordinal: h.Ordinal, Key: h.Key, Certified: h.Certified, Subject: subject}}
	return s.c.Decider.Decide(ctx, check.Facts()), nil
}

// secrets collects what the register knows of the records meant and the notice
// must not hold.
func (s *Server) secrets(codes []string) (policy.Secrets, error) {
	out := policy.Secrets{Numbers: codes}
	for _, code := range codes {
		r, err := s.c.Register.Record(code)
		if err != nil {
			return out, err
		}
		if cur := r.Current(); !cur.Deleted && out.NewName == "" {
			out.NewName, out.NewAddress = cur.Attr.Name, cur.Attr.Address
		}
	}
	return out, nil
}
