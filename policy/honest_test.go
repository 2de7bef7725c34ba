package policy_test

import (
	"context"
	"os"
	"strconv"
	"testing"
	"time"

	"github.com/sukashi-project/sukashi/internal/attr"
	"github.com/sukashi-project/sukashi/internal/jtext"
	"github.com/sukashi-project/sukashi/internal/people"
	"github.com/sukashi-project/sukashi/ledger/commitment"
	"github.com/sukashi-project/sukashi/ledger/entry"
	"github.com/sukashi-project/sukashi/policy"
	"github.com/sukashi-project/sukashi/policy/notice"
)

func certified(t *testing.T, r people.Resident) attr.Certified {
	t.Helper()
	name, nameMap, err := jtext.Substitute(r.Attr.Name, r.SubstituteName)
	if err != nil {
		t.Fatal(err)
	}
	address, addressMap, err := jtext.Substitute(r.Attr.Address, r.SubstituteAddress)
	if err != nil {
		t.Fatal(err)
	}
	return attr.Certified{Name: name, NameMap: nameMap, BirthDate: r.Attr.BirthDate, Sex: r.Attr.Sex, Address: address, AddressMap: addressMap}
}

// TestHonestNoticesPass sends notices about generated residents and their
// changes through both ends: none is refused. SUKASHI_POLICY_HONEST is the
// number of notices, 300,000 when it is not set.
func TestHonestNoticesPass(t *testing.T) {
	n := 300_000
	if testing.Short() {
		n = 2_000
	}
	if v, err := strconv.Atoi(os.Getenv("SUKASHI_POLICY_HONEST")); err == nil {
		n = v
	}
	ctx, d := context.Background(), decider(t, 3)
	start, seq, refused := time.Now(), uint64(0), 0
	for seed := uint64(1); seq < uint64(n); seed++ {
		rs, err := people.Generate(seed, 2_000)
		if err != nil {
			t.Fatal(err)
		}
		for _, c := range people.Changes(seed, rs, 0.5) {
			if seq == uint64(n) {
				break
			}
			who := rs[c.Resident]
			s, r := exchange(t, seq, uint64(c.Resident), certified(t, who), policy.Secrets{
				Numbers: []string{who.Code}, NewName: c.After.Attr.Name, NewAddress: c.After.Attr.Address,
			})
			sent := d.Decide(ctx, s.Facts())
			r.Sent.Decision = sent
			got := d.Decide(ctx, r.Facts())
			if !sent.Allow || !got.Allow {
				if refused++; refused < 5 {
					t.Errorf("seed %d, change %d: sender %v, receiver %v", seed, seq, sent.Codes, got.Codes)
				}
			}
			seq++
		}
	}
	t.Logf("%d notices, %d refused, %v each for facts and decision at both ends", n, refused, time.Since(start)/time.Duration(n))
}

// exchange is one notice as its two ends see it; every other one is an echo.
func exchange(t *testing.T, seq, ordinal uint64, c attr.Certified, secret policy.Secrets) (policy.NoticeSendCheck, policy.NoticeReceiveCheck) {
	t.Helper()
	ref := policy.Referred{Issued: true, Ordinal: ordinal, Key: commitment.Key{1, byte(ordinal), byte(ordinal >> 8)}, Certified: c}
	var err error
	if ref.Subject, err = ref.Key.Subject(c.Slots()); err != nil {
		t.Fatal(err)
	}
	m := notice.Notice{Mode: notice.Reference, Seq: seq, Ordinal: ordinal}
	if seq%2 == 1 {
		a := c.Attributes()
		m = notice.Notice{Mode: notice.Echo, Seq: seq, Echo: &a}
	}
	b, err := m.Marshal()
	if err != nil {
		t.Fatal(err)
	}
	digest, _ := ref.Key.Notice(seq, b)
	holder, _ := ref.Key.Holder(seq, ordinal)
	meta := policy.LinkMetadata(policy.PathNotices)
	return policy.NoticeSendCheck{Bytes: b, Mode: m.Mode, Sender: entry.ByNoticeSender, Addressee: entry.ByCALink, NextSeq: seq, Match: ref, Secrets: secret, Metadata: meta},
		policy.NoticeReceiveCheck{Bytes: b, Mode: m.Mode, Sender: entry.ByNoticeSender, Addressee: entry.ByCALink, NextSeq: seq, Found: ref, Metadata: meta,
			Sent: &entry.NoticeSent{Digest: digest, Holder: holder, Mode: m.Mode, Notice: seq}}
}
