package policy_test

import (
	"context"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/mod/sumdb/note"

	"github.com/sukashi-project/sukashi/internal/attr"
	"github.com/sukashi-project/sukashi/ledger/commitment"
	"github.com/sukashi-project/sukashi/ledger/entry"
	"github.com/sukashi-project/sukashi/policy"
	"github.com/sukashi-project/sukashi/policy/holders"
	"github.com/sukashi-project/sukashi/policy/notice"
	"github.com/sukashi-project/sukashi/policy/transfer"
)

func referred(t testing.TB, ordinal uint64) policy.Referred {
	t.Helper()
	r := policy.Referred{Issued: true, Ordinal: ordinal, Key: commitment.Key{1, 2, 3, byte(ordinal)}, Certified: attr.Certified{
		Name: "総務　太郎", NameMap: "00000", BirthDate: "319620617", Sex: "1",
		Address: "長野県長野市大字鶴賀１２３番地", AddressMap: strings.Repeat("0", 15),
	}}
	var err error
	if r.Subject, err = r.Key.Subject(r.Certified.Slots()); err != nil {
		t.Fatal(err)
	}
	return r
}

func send(t testing.TB, mode string) policy.NoticeSendCheck {
	t.Helper()
	ref := referred(t, 5)
	n := notice.Notice{Mode: mode, Seq: 3}
	if mode == notice.Echo {
		a := ref.Certified.Attributes()
		n.Echo = &a
	} else {
		n.Ordinal = 5
	}
	b, err := n.Marshal()
	if err != nil {
		t.Fatal(err)
	}
	return policy.NoticeSendCheck{
		Bytes: b, Mode: mode, Sender: entry.ByNoticeSender, Addressee: entry.ByCALink, NextSeq: 3, Match: ref,
		Secrets:  policy.Secrets{Numbers: []string{"99999000017"}, NewAddress: "長野県松本市丸の内３番７号", NewName: "霞　太郎"},
		Metadata: policy.LinkMetadata(policy.PathNotices),
	}
}

func receive(t testing.TB, mode string) policy.NoticeReceiveCheck {
	t.Helper()
	s := send(t, mode)
	dec := decider(t, 3).Decide(context.Background(), s.Facts())
	digest, _ := s.Match.Key.Notice(3, s.Bytes)
	holder, _ := s.Match.Key.Holder(3, 5)
	return policy.NoticeReceiveCheck{
		Bytes: s.Bytes, Mode: mode, Sender: entry.ByNoticeSender, Addressee: entry.ByCALink, NextSeq: 3, Found: s.Match,
		Sent:     &entry.NoticeSent{Decision: dec, Digest: digest, Holder: holder, Mode: mode, Notice: 3},
		Metadata: policy.LinkMetadata(policy.PathNotices),
	}
}

func codes(t testing.TB, f *policy.Facts) []string {
	t.Helper()
	if m := f.Missing(); len(m) > 0 {
		t.Errorf("%s: facts never set: %v", f.Ruleset(), m)
	}
	return decider(t, 3).Decide(context.Background(), f).Codes
}

func TestNoticeSend(t *testing.T) {
	for _, mode := range []string{notice.Reference, notice.Echo} {
		if got := codes(t, send(t, mode).Facts()); len(got) != 0 {
			t.Errorf("%s: an honest notice is refused: %v", mode, got)
		}
	}
	// Scenario 11: in a name-only change the new address is the certified one.
	same := send(t, notice.Echo)
	same.Secrets.NewAddress = same.Match.Certified.Address
	if got := codes(t, same.Facts()); len(got) != 0 {
		t.Errorf("a name-only change is refused: %v", got)
	}
	for name, c := range map[string]struct {
		mode   string
		change func(*policy.NoticeSendCheck)
		want   []string
	}{
		"sender":    {notice.Reference, func(c *policy.NoticeSendCheck) { c.Sender = entry.ByCA }, []string{"N201"}},
		"addressee": {notice.Reference, func(c *policy.NoticeSendCheck) { c.Addressee = entry.ByCA }, []string{"N202"}},
		"replay":    {notice.Reference, func(c *policy.NoticeSendCheck) { c.NextSeq = 4 }, []string{"N203"}},
		"other ordinal": {notice.Reference, func(c *policy.NoticeSendCheck) { c.Match.Ordinal = 6 },
			[]string{"N204"}},
		"not issued": {notice.Reference, func(c *policy.NoticeSendCheck) { c.Match.Issued = false }, []string{"N204"}},
		"mode":       {notice.Echo, func(c *policy.NoticeSendCheck) { c.Mode = notice.Reference }, []string{"N104"}},
		"no budget":  {notice.Echo, func(c *policy.NoticeSendCheck) { c.Mode = "free" }, []string{"N104", "N501"}},
		"new address": {notice.Echo, func(c *policy.NoticeSendCheck) {
			c.Bytes = []byte(strings.Replace(string(c.Bytes), c.Match.Certified.Address, c.Secrets.NewAddress, 1))
		}, []string{"N301", "N302", "N304"}},
		"new name": {notice.Echo, func(c *policy.NoticeSendCheck) {
			c.Bytes = []byte(strings.Replace(string(c.Bytes), "総務　太郎", "霞　太郎", 1))
		}, []string{"N301", "N303", "N304"}},
		"code in name": {notice.Echo, func(c *policy.NoticeSendCheck) {
			c.Bytes = []byte(strings.Replace(string(c.Bytes), "太郎", "太郎９９９９９０００－０１７", 1))
		}, []string{"N301", "N304", "N401", "N403"}},
		"code in extra field": {notice.Reference, func(c *policy.NoticeSendCheck) {
			c.Bytes = []byte(strings.Replace(string(c.Bytes), `,"v"`, `,"x":"99999000017","v"`, 1))
		}, []string{"N101", "N102", "N103", "N203", "N204", "N301", "N304", "N401", "N402", "N403", "N405"}},
		"header": {notice.Reference, func(c *policy.NoticeSendCheck) {
			c.Metadata.Header = http.Header{"Content-Type": {policy.LinkContentType}, "User-Agent": {policy.LinkUserAgent}, "X-Trace": {"1"}}
		}, []string{"N406"}},
		"query": {notice.Reference, func(c *policy.NoticeSendCheck) { c.Metadata.Path += "?c=1" }, []string{"N406"}},
	} {
		check := send(t, c.mode)
		c.change(&check)
		if got := codes(t, check.Facts()); !slices.Equal(got, c.want) {
			t.Errorf("%s: %v, want %v", name, got, c.want)
		}
	}
}

func TestNoticeReceive(t *testing.T) {
	for _, mode := range []string{notice.Reference, notice.Echo} {
		if got := codes(t, receive(t, mode).Facts()); len(got) != 0 {
			t.Errorf("%s: an honest notice is refused: %v", mode, got)
		}
	}
	for name, c := range map[string]struct {
		change func(*policy.NoticeReceiveCheck)
		want   []string
	}{
		"no sender entry": {func(c *policy.NoticeReceiveCheck) { c.Sent = nil }, []string{"N206"}},
		"other bytes":     {func(c *policy.NoticeReceiveCheck) { c.Sent.Digest[0] ^= 1 }, []string{"N206"}},
		"other holder":    {func(c *policy.NoticeReceiveCheck) { c.Sent.Holder[0] ^= 1 }, []string{"N206"}},
		"erased key":      {func(c *policy.NoticeReceiveCheck) { c.Found.Key = commitment.Key{} }, []string{"N206"}},
		"stranger":        {func(c *policy.NoticeReceiveCheck) { c.Sender = "" }, []string{"N201"}},
		"gap":             {func(c *policy.NoticeReceiveCheck) { c.NextSeq = 2 }, []string{"N203"}},
		"unknown": {func(c *policy.NoticeReceiveCheck) { c.Found = policy.Referred{} },
			[]string{"N204", "N206"}},
		"cookie": {func(c *policy.NoticeReceiveCheck) { c.Metadata.Header["Cookie"] = []string{"a=99999000017"} }, []string{"N406"}},
		"length": {func(c *policy.NoticeReceiveCheck) { c.Metadata.Header["Content-Length"] = []string{"068"} }, []string{"N406"}},
	} {
		check := receive(t, notice.Reference)
		c.change(&check)
		if got := codes(t, check.Facts()); !slices.Equal(got, c.want) {
			t.Errorf("%s: %v, want %v", name, got, c.want)
		}
	}
	forged := receive(t, notice.Echo)
	forged.Found.Subject[0] ^= 1
	if got := codes(t, forged.Facts()); !slices.Contains(got, "N301") {
		t.Errorf("an echo that opens no commitment: %v", got)
	}
}

func TestHoldersChecks(t *testing.T) {
	ref := referred(t, 5)
	l := holders.List{Day: "2026-11-23", Seq: 2, Total: 8, Gone: []uint64{1},
		New: []holders.Holder{{Ordinal: 5, Key: ref.Key, Certified: ref.Certified}}}
	b, err := l.Marshal()
	if err != nil {
		t.Fatal(err)
	}
	s := policy.HoldersSendCheck{Bytes: b, Sender: entry.ByCALink, Addressee: entry.ByRegisterLink, NextSeq: 2,
		LastDay: "2026-11-22", SetEqualsLive: true, AttributesCertified: true, Metadata: policy.LinkMetadata(policy.PathHolders)}
	if got := codes(t, s.Facts()); len(got) != 0 {
		t.Errorf("an honest list is refused: %v", got)
	}
	s.LastDay, s.SetEqualsLive = "2026-11-23", false
	if got := codes(t, s.Facts()); !slices.Equal(got, []string{"H204", "H205"}) {
		t.Errorf("a second list of a day: %v", got)
	}
	r := policy.HoldersReceiveCheck{Bytes: b, Sender: entry.ByCALink, Addressee: entry.ByRegisterLink, NextSeq: 2,
		LastDay: "2026-11-22", Held: 8, Sent: &entry.HoldersSent{Holders: l.Entry()}, Metadata: policy.LinkMetadata(policy.PathHolders)}
	if got := codes(t, r.Facts()); len(got) != 0 {
		t.Errorf("an honest list is refused on arrival: %v", got)
	}
	r.Held, r.Sent = 9, &entry.HoldersSent{}
	if got := codes(t, r.Facts()); !slices.Equal(got, []string{"H205", "H206"}) {
		t.Errorf("a list that does not add up: %v", got)
	}
	l.New[0].Certified.Name, l.New[0].Certified.NameMap = "９９９９９０００００１７", strings.Repeat("0", 11)
	l.New[0].Certified.Name = "９９９９９００００１７"
	l.New[0].Certified.Name, l.New[0].Certified.NameMap = "９９９９９００００17", strings.Repeat("0", 11)
	if r.Bytes, err = l.Marshal(); err != nil {
		t.Fatal(err)
	}
	if got := codes(t, r.Facts()); !slices.Contains(got, "H401") {
		t.Errorf("a list with a resident code for a name: %v", got)
	}
}

func TestTransferCheck(t *testing.T) {
	sk, vk, err := note.GenerateKey(nil, "juki-terminal-202011")
	if err != nil {
		t.Fatal(err)
	}
	signer, _ := note.NewSigner(sk)
	verifier, _ := note.NewVerifier(vk)
	now := time.Date(2026, 11, 23, 1, 2, 3, 0, time.UTC)
	seal := func(name string) []byte {
		b, err := transfer.Seal(transfer.File{Municipality: "202011", Operator: "op-7", At: entry.At(now),
			Attr: attr.Attributes{Name: name, BirthDate: "319620617", Sex: "1", Address: "霞が関２丁目１番地２号"}}, signer)
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	good := policy.TransferCheck{Bytes: seal("総務　太郎"), Terminal: verifier, Registered: true, Municipality: "202011", Now: now, MaxAge: time.Hour}
	file, facts := good.Facts()
	if got := codes(t, facts); len(got) != 0 || file.Operator != "op-7" {
		t.Errorf("an honest file is refused: %v", got)
	}
	for name, c := range map[string]struct {
		change func(*policy.TransferCheck)
		want   []string
	}{
		"old":           {func(c *policy.TransferCheck) { c.Now = now.Add(2 * time.Hour) }, []string{"T203"}},
		"future":        {func(c *policy.TransferCheck) { c.Now = now.Add(-2 * time.Hour) }, []string{"T203"}},
		"used":          {func(c *policy.TransferCheck) { c.UsedBefore = true }, []string{"T204"}},
		"elsewhere":     {func(c *policy.TransferCheck) { c.Municipality = "202029" }, []string{"T202"}},
		"unregistered":  {func(c *policy.TransferCheck) { c.Registered = false }, []string{"T201"}},
		"code in name":  {func(c *policy.TransferCheck) { c.Bytes = seal("太郎９９９９９　０００００-17") }, []string{"T403"}},
		"code, checked": {func(c *policy.TransferCheck) { c.Bytes = seal("九九九九九〇〇〇〇一七") }, []string{"T401", "T403"}},
		"hidden":        {func(c *policy.TransferCheck) { c.Bytes = seal("総務\u200b太郎") }, []string{"T404"}},
		"blob":          {func(c *policy.TransferCheck) { c.Bytes = seal("OTk5OTkwMDAwMTc=") }, []string{"T401", "T403", "T405"}},
	} {
		check := good
		c.change(&check)
		_, facts := check.Facts()
		if got := codes(t, facts); !slices.Equal(got, c.want) {
			t.Errorf("%s: %v, want %v", name, got, c.want)
		}
	}
}

func TestRequestMetadata(t *testing.T) {
	r, err := http.NewRequest(http.MethodPost, "https://ca.example"+policy.PathNotices, strings.NewReader("x"))
	if err != nil {
		t.Fatal(err)
	}
	r.Header = policy.LinkHeader()
	if !policy.RequestMetadata(r).Clean(policy.PathNotices, 1) {
		t.Error("a request with LinkHeader is not clean")
	}
	r.Trailer = http.Header{"X": nil}
	if policy.RequestMetadata(r).Clean(policy.PathNotices, 1) {
		t.Error("a trailer is clean")
	}
	if !policy.ScanResidentCode("コード 99999000017") || policy.ScanResidentCode("長野市１２３番地") {
		t.Error("ScanResidentCode")
	}
}

func BenchmarkHoldersReceive(b *testing.B) {
	ref := referred(b, 5)
	l := holders.List{Day: "2026-11-23", Seq: 2, Total: 1000}
	for i := range uint64(1000) {
		l.New = append(l.New, holders.Holder{Ordinal: i, Key: commitment.Key{1, byte(i), byte(i >> 8)}, Certified: ref.Certified})
	}
	msg, err := l.Marshal()
	if err != nil {
		b.Fatal(err)
	}
	c := policy.HoldersReceiveCheck{Bytes: msg, Sender: entry.ByCALink, Addressee: entry.ByRegisterLink, NextSeq: 2,
		LastDay: "2026-11-22", Sent: &entry.HoldersSent{Holders: l.Entry()}, Metadata: policy.LinkMetadata(policy.PathHolders)}
	for b.Loop() {
		if f := c.Facts(); !f.Get("sender_entry_logged") || len(f.Missing()) > 0 {
			b.Fatal("refused")
		}
	}
	b.ReportMetric(float64(b.Elapsed().Microseconds())/float64(b.N)/1000, "µs/holder")
}
