package publish

import (
	"bytes"
	"testing"

	"golang.org/x/mod/sumdb/tlog"

	"github.com/sukashi-project/sukashi/ledger/proof"
)

func TestTilePaths(t *testing.T) {
	for _, good := range []string{"0/000", "5/255", "0/x001/x234/067", "entries/x001/000", "1/002.p/255", "entries/000.p/1"} {
		p, err := parseTilePath(good)
		if err != nil || p.String() != good {
			t.Errorf("%q: %v, back as %q", good, err, p.String())
		}
	}
	for _, bad := range []string{"", "0", "0/", "64/000", "00/000", "0/0", "0/1000", "0/x000/001", "0/001/001", "0/x001", "0/x001/",
		"0/000.p/0", "0/000.p/256", "0/000.p/01", "0/000.p/", "data/000", "0/+01", "0/000/", "0/x001/x000/x000/x000/x000/000"} {
		if p, err := parseTilePath(bad); err == nil {
			t.Errorf("%q accepted as %+v", bad, p)
		}
	}
}

func FuzzParseTilePath(f *testing.F) {
	for _, s := range []string{"0/000", "entries/x001/234.p/7", "5/x001/x002/003", "9/x"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		if p, err := parseTilePath(s); err == nil && p.String() != s {
			t.Errorf("%q is read as %q", s, p.String())
		}
	})
}

func FuzzParseFrames(f *testing.F) {
	f.Add([]byte("\x00\x01a\x00\x02bc"))
	f.Add([]byte("\xff\xff"))
	f.Fuzz(func(t *testing.T, b []byte) {
		frames, err := parseFrames(b)
		if err != nil {
			return
		}
		var again []byte
		for _, fr := range frames {
			again = appendFrame(again, fr)
		}
		if !bytes.Equal(again, b) {
			t.Error("frames don't give the same bytes again")
		}
	})
}

func FuzzParseReceipts(f *testing.F) {
	f.Add(marshalReceipts([]*proof.Receipt{{Index: 7, Checkpoint: []byte("c"), Hashes: make([]tlog.Hash, 2)}}))
	f.Add([]byte("\x00\x00\x00\x00"))
	f.Fuzz(func(t *testing.T, b []byte) {
		rs, err := parseReceipts(b)
		if err == nil && len(rs) > 0 && !bytes.Equal(marshalReceipts(rs), b) {
			t.Error("receipts don't give the same bytes again")
		}
	})
}
