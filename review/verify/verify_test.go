package verify

import (
	"bytes"
	"context"
	"encoding/json"
	"os"
	"strings"
	"testing"
	"unicode"

	"github.com/sukashi-project/sukashi/internal/say"
	"github.com/sukashi-project/sukashi/ledger/entry"
	"github.com/sukashi-project/sukashi/ledger/proof"
)

func codes(r *Result) string {
	var cs []string
	for _, s := range r.Steps {
		cs = append(cs, s.Code)
	}
	return strings.Join(cs, " ")
}

// checkWords checks that every step is a sentence in both languages.
func checkWords(t *testing.T, r *Result) {
	t.Helper()
	for _, s := range r.Steps {
		if s.Code == "policy" || s.Code == "entry" || s.Code == "cert" || s.Code == "proof" {
			continue // a label and a path
		}
		if !strings.HasSuffix(s.Text.JA, "。") && !strings.Contains(s.Text.JA, ": /") || strings.Contains(s.Text.JA+s.Text.EN, "%!") {
			t.Errorf("step %s: %q / %q", s.Code, s.Text.JA, s.Text.EN)
		}
		if strings.ContainsFunc(s.Text.EN, func(c rune) bool { return unicode.In(c, unicode.Han, unicode.Hiragana, unicode.Katakana) }) {
			t.Errorf("step %s has Japanese in its English: %q", s.Code, s.Text.EN)
		}
	}
}

func TestFilesThatHold(t *testing.T) {
	o := newOut(t)
	ctx := context.Background()
	for _, c := range []struct {
		file  string
		o     Options
		kind  Kind
		steps string
		says  string
	}{
		{"entries/3.tlog-proof", Options{}, KindProof, "entry policy checkpoint witnesses inclusion content", "cert.issued"},
		{"entries/3.json", Options{}, KindProof, "proof policy checkpoint witnesses inclusion content", "cert.issued"},
		{"entries/3.tlog-proof", Options{PolicyPath: o.path("witness.policy"), EntryPath: o.path("entries/3.json")}, KindProof,
			"policy checkpoint witnesses inclusion content", "ca-server"},
		{"receipts/0.status", Options{}, KindStatus, "cert policy checkpoint witnesses issued latest certificate state", "is valid"},
		{"receipts/1.status", Options{}, KindStatus, "cert policy checkpoint witnesses issued latest certificate state", "is revoked"},
		{"receipts/2.status", Options{CertPath: o.write("der", cert(2))}, KindStatus, "policy checkpoint witnesses issued latest certificate state", "valid"},
		{"report.json", Options{}, KindReport, "proof entry policy checkpoint witnesses inclusion content digest items", "A 5, B 1"},
		{"report.tlog-proof", Options{}, KindProof, "entry policy checkpoint witnesses inclusion content", "review.report"},
	} {
		r := File(ctx, o.path(c.file), c.o)
		if r.Exit != Holds || r.Kind != c.kind || codes(r) != c.steps || r.Err != nil {
			t.Errorf("%s: exit %d, kind %q, steps %q, %v", c.file, r.Exit, r.Kind, codes(r), r.Err)
		}
		checkWords(t, r)
		var en, ja bytes.Buffer
		if r.Print(&en, say.English) != nil || r.Print(&ja, say.Japanese) != nil {
			t.Fatal("print")
		}
		if !strings.Contains(en.String(), c.says) || !strings.Contains(en.String(), "HOLDS") || !strings.Contains(ja.String(), "成立") {
			t.Errorf("%s prints\n%s%s", c.file, &en, &ja)
		}
	}
}

func TestFilesThatDoNot(t *testing.T) {
	o := newOut(t)
	ctx := context.Background()
	read := func(name string) []byte {
		b, err := os.ReadFile(o.path(name))
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	change := func(name, old, new string) []byte {
		b := read(name)
		if !bytes.Contains(b, []byte(old)) {
			t.Fatalf("%s has no %q", name, old)
		}
		return bytes.Replace(b, []byte(old), []byte(new), 1)
	}
	policy := string(read("witness.policy"))
	o.write("other/witness.policy", []byte("log "+strings.Fields(policy)[1]+"\nquorum none\n"))
	lonely := t.TempDir()
	lonelyProof := lonely + "/3.tlog-proof"
	if err := os.WriteFile(lonelyProof, read("entries/3.tlog-proof"), 0o644); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name string
		path string
		o    Options
		exit Exit
		code string
	}{
		{"index changed", o.write("entries/90.tlog-proof", change("entries/3.tlog-proof", "index 3", "index 4")), Options{EntryPath: o.path("entries/3.json")}, IsFalse, "receipt.inclusion"},
		{"another entry", o.path("entries/3.tlog-proof"), Options{EntryPath: o.path("entries/5.json")}, IsFalse, "receipt.inclusion"},
		{"size changed", o.write("entries/91.tlog-proof", change("entries/3.tlog-proof", "\n9\n", "\n8\n")), Options{EntryPath: o.path("entries/3.json")}, IsFalse, "checkpoint.signature"},
		{"policy without these witnesses", o.path("entries/3.tlog-proof"), Options{PolicyPath: o.path("other/witness.policy")}, IsFalse, "checkpoint.unknown-key"},
		{"receipt with another certificate", o.path("receipts/0.status"), Options{CertPath: o.path("certs/2.pem")}, IsFalse, "status.other-certificate"},
		{"report changed", o.write("x/report.json", append(read("report.json"), ' ')), Options{}, Untold, "verify.report-proof"},
		{"report is not an entry's", o.path("report.json"), Options{EntryPath: o.path("entries/3.json")}, IsFalse, "receipt.inclusion"},
		{"entry missing", o.write("entries/92.tlog-proof", read("entries/3.tlog-proof")), Options{}, Untold, "verify.entry"},
		{"named entry missing", o.path("entries/3.tlog-proof"), Options{EntryPath: o.path("nothing")}, Untold, "verify.read"},
		{"policy missing", lonelyProof, Options{}, Untold, "verify.policy"},
		{"policy malformed", o.path("entries/3.tlog-proof"), Options{PolicyPath: o.path("report.json")}, Untold, "policy.malformed"},
		{"file missing", o.path("none"), Options{}, Untold, "verify.read"},
		{"directory", o.dir, Options{}, Untold, "verify.read"},
		{"something else", o.write("text", []byte("hello")), Options{}, Untold, "verify.kind"},
		{"empty", o.write("empty", nil), Options{}, Untold, "verify.kind"},
		{"proof cut off", o.write("cut.tlog-proof", read("entries/3.tlog-proof")[:100]), Options{EntryPath: o.path("entries/3.json")}, Untold, "receipt.malformed"},
		{"receipt cut off", o.write("cut.status", read("receipts/0.status")[:100]), Options{}, Untold, "status.malformed"},
		{"certificate is text", o.path("receipts/0.status"), Options{CertPath: o.path("text")}, Untold, "verify.certificate"},
		{"entry without a proof", o.write("alone/3.json", read("entries/3.json")), Options{}, Untold, "verify.proof"},
	} {
		r := File(ctx, c.path, c.o)
		last := r.Steps[len(r.Steps)-1]
		if r.Exit != c.exit || last.Code != c.code || last.OK || r.Err == nil {
			t.Errorf("%s: exit %d, steps %q, %v", c.name, r.Exit, codes(r), r.Err)
		}
		checkWords(t, r)
	}
	// The report with its proof beside it, one byte changed.
	o.write("y/report.json", bytes.Replace(o.report, []byte("items"), []byte("itemz"), 1))
	o.write("y/report.entry.json", read("report.entry.json"))
	o.write("y/report.tlog-proof", read("report.tlog-proof"))
	if r := File(ctx, o.path("y/report.json"), Options{}); r.Exit != IsFalse || !strings.HasSuffix(codes(r), "verify.report-digest") {
		t.Errorf("changed report: %d %q", r.Exit, codes(r))
	}
	// The report with the proof of another entry.
	o.write("y/report.entry.json", read("entries/3.json"))
	o.write("y/report.tlog-proof", read("entries/3.tlog-proof"))
	if r := File(ctx, o.path("y/report.json"), Options{}); r.Exit != IsFalse || !strings.HasSuffix(codes(r), "verify.report-entry") {
		t.Errorf("report with another entry: %d %q", r.Exit, codes(r))
	}
	// The report's digest, logged by somebody else than the council.
	x := o.add(entry.ByCA, &entry.ReviewReport{Covers: 7, Digest: entry.Sum(o.report)})
	o.write("z/report.json", o.report)
	o.write("z/report.entry.json", o.entries[x])
	o.write("z/report.tlog-proof", (&proof.Receipt{Index: uint64(x), Hashes: o.inclusion(x), Checkpoint: o.checkpoint()}).Marshal())
	if r := File(ctx, o.path("z/report.json"), Options{}); r.Exit != IsFalse || !strings.HasSuffix(codes(r), "verify.report-entry") {
		t.Errorf("report logged by the CA: %d %q", r.Exit, codes(r))
	}
	cancelled, cancel := context.WithCancel(ctx)
	cancel()
	if r := File(cancelled, o.path("report.json"), Options{}); r.Exit != Untold {
		t.Error("cancelled:", r.Exit)
	}
}

// TestEveryByte flips every byte of a real proof file on disk: exit 2, or 1
// where it is no longer readable, and never 0.
func TestEveryByte(t *testing.T) {
	o := newOut(t)
	good, err := os.ReadFile(o.path("entries/3.tlog-proof"))
	if err != nil {
		t.Fatal(err)
	}
	count := map[Exit]int{}
	for i := range good {
		for _, bit := range []byte{0x01, 0x20, 0x80} {
			bad := bytes.Clone(good)
			bad[i] ^= bit
			o.write("entries/3.tlog-proof", bad)
			r := File(context.Background(), o.path("entries/3.tlog-proof"), Options{})
			if count[r.Exit]++; r.Exit == Holds {
				t.Errorf("byte %d changed and it holds", i)
			}
		}
	}
	if count[IsFalse] == 0 || count[Untold] == 0 {
		t.Errorf("exits %v", count)
	}
}

func TestWithoutWitnesses(t *testing.T) {
	o := newOut(t)
	o.signers = o.signers[:1]
	in := Input{
		File:   mustRead(t, o.path("report.tlog-proof")),
		Policy: []byte("log " + strings.Fields(string(mustRead(t, o.path("witness.policy"))))[1] + "\nquorum none\n"),
	}
	head, _, _ := bytes.Cut(in.File, []byte("\n\n"))
	in.File = append(append(head, "\n\n"...), o.checkpoint()...)
	in.Entry = mustRead(t, o.path("report.entry.json"))
	r := Check(in)
	if r.Exit != Holds || codes(r) != "checkpoint no-witness inclusion content" {
		t.Errorf("%d %q %v", r.Exit, codes(r), r.Err)
	}
	in.Entry = nil
	if r := Check(in); r.Exit != Untold {
		t.Error("without an entry:", r.Exit)
	}
}

func mustRead(t *testing.T, path string) []byte {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestJSON(t *testing.T) {
	o := newOut(t)
	b, err := json.Marshal(File(context.Background(), o.path("entries/3.tlog-proof"), Options{EntryPath: o.path("entries/0.json")}))
	if err != nil {
		t.Fatal(err)
	}
	var got struct {
		Path, Kind string
		Exit       int
		Verdict    struct{ JA, EN string }
		Steps      []struct{ Code, Mark, JA, EN string }
	}
	if err := json.Unmarshal(b, &got); err != nil {
		t.Fatal(err)
	}
	last := got.Steps[len(got.Steps)-1]
	if got.Exit != 2 || got.Kind != "tlog-proof" || got.Verdict.JA == "" || last.Mark != "failed" || last.Code != "receipt.inclusion" || last.JA == "" || last.EN == "" {
		t.Errorf("%s", b)
	}
}

func TestWorst(t *testing.T) {
	if Worst() != Holds || Worst(Holds, Untold) != Untold || Worst(IsFalse, Untold, Holds) != IsFalse {
		t.Error("worst of several exits")
	}
}

func FuzzCheck(f *testing.F) {
	o := newOut(f)
	p, _ := os.ReadFile(o.path("entries/3.tlog-proof"))
	s, _ := os.ReadFile(o.path("receipts/0.status"))
	policy, _ := os.ReadFile(o.path("witness.policy"))
	f.Add(p, policy, o.entries[3])
	f.Add(s, policy, []byte(nil))
	f.Add(o.report, policy, o.entries[7])
	f.Fuzz(func(t *testing.T, file, policy, ent []byte) {
		r := Check(Input{File: file, Policy: policy, Entry: ent, Proof: p, Cert: ent})
		if len(r.Steps) == 0 || (r.Exit == Holds) != (r.Err == nil) {
			t.Fatal("no steps")
		}
	})
}
