package scenario

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"

	"github.com/sukashi-project/sukashi/internal/attr"
	"github.com/sukashi-project/sukashi/juki/match"
	"github.com/sukashi-project/sukashi/juki/register"
	"github.com/sukashi-project/sukashi/ledger/entry"
	"github.com/sukashi-project/sukashi/policy"
	"github.com/sukashi-project/sukashi/policy/holders"
	"github.com/sukashi-project/sukashi/policy/notice"
)

// listed is the holder as the daily list brought it to the register side.
func (v *town) listed(h *holder) holders.Holder {
	v.t.Helper()
	var out holders.Holder
	must(v.t, v.w.Juki.Office.Matching.Holders(func(x holders.Holder) error {
		if x.Ordinal == h.Ordinal {
			out = x
		}
		return nil
	}))
	return out
}

// echo is the honest notice about a holder with the next sequence.
func (v *town) echo(h *holder) []byte {
	v.t.Helper()
	seq, err := v.w.Juki.Office.Matching.NextSeq()
	must(v.t, err)
	a := v.listed(h).Certified.Attributes()
	b, err := notice.Notice{Mode: notice.Echo, Seq: seq, Echo: &a}.Marshal()
	must(v.t, err)
	return b
}

// attack posts bytes past the honest sender, and checks that the CA side
// refuses them on record under all of these codes, and that the log holds
// nothing of what they carried.
func (v *town) attack(name string, raw []byte, secret string, codes ...string) {
	v.t.Helper()
	mark := v.mark()
	if v.w.RawNotice(ctx, raw) == nil {
		v.t.Errorf("%s: received", name)
	}
	got := v.codesOf(mark)
	for _, c := range codes {
		if !strings.Contains(got, c) {
			v.t.Errorf("%s: refused by %q, not by %s", name, got, c)
		}
	}
	for _, e := range v.since(mark) {
		b, err := e.Marshal()
		must(v.t, err)
		if strings.Contains(string(b), secret) {
			v.t.Errorf("%s: the log holds what was hidden", name)
		}
	}
}

// jsonText is s as it stands inside a JSON string of the notice.
func jsonText(s string) []byte {
	b, _ := json.Marshal(s)
	return b[1 : len(b)-1]
}

// 9: the resident code in the name, in full-width digits, in an extra field.
// None passes, none uses up a number, the honest notice goes through after.
func hiddenCode(v *town) {
	h := v.issued()
	honest := v.echo(h)
	name := jsonText(h.Attr.Name)
	into := func(hidden string) []byte {
		return bytes.Replace(honest, name, append(append([]byte{}, name...), hidden...), 1)
	}
	v.attack("in the name", into(h.Code), h.Code, "N206", "N301", "N401", "N403")
	wide := strings.Map(func(r rune) rune { return r - '0' + '０' }, h.Code)
	v.attack("in full-width digits", into(wide), wide, "N206", "N301", "N401", "N403")
	field := bytes.Replace(honest, []byte(`,"v"`), fmt.Appendf(nil, `,"residentCode":%q,"v"`, h.Code), 1)
	v.attack("in an extra field", field, h.Code, "N103", "N401", "N403")
	v.valid(h)
	mark := v.mark()
	equal(v.t, "the honest change", v.change(register.NameChange, v.married(h.Resident)).Reason, match.Notice)
	equal(v.t, "notices", v.notify(), 1)
	v.logged(mark, wholeWay)
	v.changed(h)
}

// 10: a sender that would put the new address into the notice is refused by
// its own side's rules, and by the CA's if it does so all the same.
func newAddress(v *town) {
	h := v.issued()
	next := v.moved(h.Resident)
	bent := bytes.Replace(v.echo(h), jsonText(h.Attr.Address), jsonText(next.Attr.Address), 1)
	x := v.listed(h)
	subject, err := x.Key.Subject(x.Certified.Slots())
	must(v.t, err)
	seq, err := v.w.Juki.Office.Matching.NextSeq()
	must(v.t, err)
	send := policy.NoticeSendCheck{Bytes: bent, Mode: notice.Echo, Sender: entry.ByNoticeSender, Addressee: entry.ByCALink, NextSeq: seq,
		Match:   policy.Referred{Issued: true, Ordinal: x.Ordinal, Key: x.Key, Certified: x.Certified, Subject: subject},
		Secrets: policy.Secrets{Numbers: []string{h.Code}, NewAddress: next.Attr.Address}, Metadata: policy.LinkMetadata(policy.PathNotices)}
	equal(v.t, "the sender's own rules", strings.Join(v.w.Juki.Decider.Decide(ctx, send.Facts()).Codes, " "), "N301 N302 N304")
	v.attack("the new address", bent, next.Attr.Address, "N206", "N301")
	v.valid(h)
	equal(v.t, "the honest change", v.change(register.MoveWithin, next).Reason, match.Notice)
	equal(v.t, "notices", v.notify(), 1)
	v.changed(h)
}

// 11: only the name changed, so the old address is the new one; the notice
// holds it, as certified, and must pass.
func nameOnly(v *town) {
	h := v.issued()
	mark := v.mark()
	after := v.married(h.Resident)
	equal(v.t, "address", after.Attr.Address, h.Attr.Address)
	equal(v.t, "outcome", v.change(register.NameChange, after).Reason, match.Notice)
	equal(v.t, "notices", v.notify(), 1)
	v.logged(mark, wholeWay)
	v.changed(h)
	var zero attr.Certified
	if v.listed(h).Certified == zero {
		v.t.Error("the holder is struck off before the next list")
	}
}
