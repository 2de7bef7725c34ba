package demo

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"github.com/sukashi-project/sukashi/ledger/entry"
	"github.com/sukashi-project/sukashi/ledger/publish"
	"github.com/sukashi-project/sukashi/review/audit"
	"github.com/sukashi-project/sukashi/review/report"
	"github.com/sukashi-project/sukashi/review/report/page"
)

func (t *teller) audit(ctx context.Context) error {
	t.Step("審議会: ログからすべてを計算しなおす", "The council recomputes everything from the log")
	defer t.Clock("監査と報告書", "audit and report")()
	src, err := t.w.Gather(ctx)
	if err != nil {
		return err
	}
	begin := time.Now()
	res, err := audit.Audit(ctx, src, audit.Options{Now: t.w.Now()})
	if err != nil {
		return err
	}
	took := time.Since(begin)
	seen := filepath.Join(t.dir.Out(), "checkpoints", strconv.FormatUint(res.Size, 10))
	if err := os.WriteFile(seen, src.Checkpoint, 0o644); err != nil {
		return fmt.Errorf("couldn't keep the audited checkpoint: %w", err)
	}
	rep, err := report.Build(res, report.Meta{Generated: t.w.Now()})
	if err != nil {
		return fmt.Errorf("couldn't make the report: %w", err)
	}
	t.Fact("記録 %d 件を %.2f 秒で調べました。判定: A %d、B %d、C %d、D %d。", "%d entries examined in %.2f s. Verdicts: A %d, B %d, C %d, D %d.",
		res.Size, took.Seconds(), rep.Verdicts.A, rep.Verdicts.B, rep.Verdicts.C, rep.Verdicts.D)
	for _, f := range res.Findings() {
		t.Fact("%s(区分 %s): %s", "%s (class %s): %s", f.Check, f.Class, f.Text.In(t.Lang))
	}
	if res.Class() == audit.ClassD {
		return fmt.Errorf("the audit of an honest month found class D")
	}
	return t.logReport(ctx, rep)
}

// logReport puts the report's digest into the log and writes the report with
// its proof.
func (t *teller) logReport(ctx context.Context, rep *report.Report) error {
	b, err := rep.Marshal()
	if err != nil {
		return fmt.Errorf("couldn't write the report: %w", err)
	}
	logged, err := t.w.Members.Writer.Append(ctx, &entry.ReviewReport{Covers: rep.Log.Size, Digest: entry.Sum(b), Items: rep.Verdicts.Items()})
	if err != nil {
		return fmt.Errorf("couldn't log the report: %w", err)
	}
	if _, err := t.w.Publish(ctx); err != nil {
		return err
	}
	r, err := t.w.Ledger.Engine.Proof(ctx, logged.Index)
	if err != nil {
		return err
	}
	html, err := page.Render(rep, page.Options{Lang: t.Lang, EntryLink: t.entryLink(ctx)})
	if err != nil {
		return fmt.Errorf("couldn't draw the report: %w", err)
	}
	for name, content := range map[string][]byte{"report.json": b, "report.entry.json": logged.Bytes, "report.tlog-proof": r.Marshal(), "report.html": html} {
		if err := os.WriteFile(filepath.Join(t.dir.Out(), name), content, 0o644); err != nil {
			return fmt.Errorf("couldn't write %s: %w", name, err)
		}
	}
	t.Fact("報告書のハッシュ値を記録 %d 番に入れました。", "The report's digest is entry %d.", logged.Index)
	return nil
}

// exported reports whether an entry's proof is among the files that are
// written for outsiders: status roots and lists are checked through receipts
// and through the lists themselves.
func exported(k entry.Kind) bool { return k != entry.KindStatusRoot && k != entry.KindCRLPublished }

// entryLink links an entry's number in the report to its file, if it has one.
func (t *teller) entryLink(ctx context.Context) func(uint64) string {
	return func(i uint64) string {
		b, err := t.w.Ledger.Engine.Entry(ctx, i)
		if err != nil {
			return ""
		}
		if e, err := entry.Parse(b); err != nil || !exported(e.Body.Kind()) {
			return ""
		}
		return fmt.Sprintf("entries/%d.json", i)
	}
}

// finish writes what outsiders read, under the newest published checkpoint.
func (t *teller) finish(ctx context.Context) error {
	t.Step("外部の人が読むものを書き出す", "Write what outsiders read")
	done := t.Clock("証拠ファイルの書き出し", "writing the proof files")
	if err := t.writeOut(ctx); err != nil {
		return err
	}
	done()
	t.ending()
	if !t.Serve {
		return nil
	}
	return t.serve(ctx)
}

func (t *teller) writeOut(ctx context.Context) error {
	out := t.dir.Out()
	e := t.w.Ledger.Engine
	var indexes []uint64
	size, err := e.Size(ctx)
	if err != nil {
		return err
	}
	err = e.Entries(ctx, 0, size, func(i uint64, b []byte) error {
		p, err := entry.Parse(b)
		if err != nil {
			return err
		}
		if exported(p.Body.Kind()) {
			indexes = append(indexes, i)
		}
		return nil
	})
	if err != nil {
		return err
	}
	if err := publish.Export(ctx, e, filepath.Join(out, "entries"), indexes...); err != nil {
		return err
	}
	endpoints, err := json.MarshalIndent(t.w.Endpoints(), "", "  ")
	if err != nil {
		return err
	}
	for name, b := range map[string][]byte{
		"log.vkey": []byte(t.w.Ledger.VKey + "\n"), "witness.policy": t.w.Ledger.PolicyText,
		"issuer.pem": pemOf(t.w.CA.Ceremony.Issuer), "ocsp.pem": pemOf(t.w.CA.Ceremony.Responder), "endpoints.json": append(endpoints, '\n'),
	} {
		if err := os.WriteFile(filepath.Join(out, name), b, 0o644); err != nil {
			return fmt.Errorf("couldn't write %s: %w", name, err)
		}
	}
	if err := t.writeMaterial(ctx, out); err != nil {
		return err
	}
	if err := t.writeCertificates(ctx, out); err != nil {
		return err
	}
	return t.writeCanaries()
}

// writeMaterial writes what package material reads: the log as tiles, the
// signing journal, the bundle that decided and the council's keys.
func (t *teller) writeMaterial(ctx context.Context, out string) error {
	if err := publish.ExportLog(ctx, t.w.Ledger.Engine, filepath.Join(out, "log")); err != nil {
		return err
	}
	j, err := t.w.SigningJournal()
	if err != nil {
		return err
	}
	links, err := t.w.LinkKeys().Marshal()
	if err != nil {
		return err
	}
	var lines, keys bytes.Buffer
	for _, l := range j.Lines {
		fmt.Fprintf(&lines, "%d %s\n", l.Index, l.TBS)
	}
	for _, k := range t.w.Members.Keys {
		fmt.Fprintln(&keys, base64.StdEncoding.EncodeToString(k))
	}
	for name, b := range map[string][]byte{"signing.journal": lines.Bytes(), "link.keys": links, "council.keys": keys.Bytes(),
		"policy/shipped.bundle": t.w.Rules.Bundle.Bytes, "policy/shipped.proof": t.w.Rules.Proof} {
		if err := os.WriteFile(filepath.Join(out, name), b, 0o644); err != nil {
			return fmt.Errorf("couldn't write %s: %w", name, err)
		}
	}
	return nil
}

func (t *teller) writeCertificates(ctx context.Context, out string) error {
	err := t.w.Certificates()(func(f audit.File) error {
		return os.WriteFile(filepath.Join(out, filepath.FromSlash(f.Name)), pemOf(f.Bytes), 0o644)
	})
	if err != nil {
		return fmt.Errorf("couldn't write the certificates: %w", err)
	}
	err = t.w.Lists()(func(f audit.File) error {
		b := pem.EncodeToMemory(&pem.Block{Type: "X509 CRL", Bytes: f.Bytes})
		return os.WriteFile(filepath.Join(out, filepath.FromSlash(f.Name)), b, 0o644)
	})
	if err != nil {
		return fmt.Errorf("couldn't write the revocation lists: %w", err)
	}
	err = t.w.Answers(ctx)(func(f audit.File) error {
		return os.WriteFile(filepath.Join(out, filepath.FromSlash(f.Name)), f.Bytes, 0o644)
	})
	if err != nil {
		return fmt.Errorf("couldn't write the OCSP answers: %w", err)
	}
	for o := range t.town.holders {
		r, err := t.w.Ledger.Engine.Status(ctx, o)
		if err != nil {
			return err
		}
		if err := os.WriteFile(filepath.Join(out, "receipts", fmt.Sprintf("%d.status", o)), r.Marshal(), 0o644); err != nil {
			return fmt.Errorf("couldn't write a status receipt: %w", err)
		}
	}
	return nil
}

// writeCanaries lists, for the canary test, what must never be found outside
// the register's zone.
func (t *teller) writeCanaries() error {
	f, err := os.OpenFile(filepath.Join(t.dir.Juki(), "canaries.txt"), os.O_CREATE|os.O_WRONLY|os.O_TRUNC, 0o600)
	if err != nil {
		return fmt.Errorf("couldn't write the canaries: %w", err)
	}
	if err := t.w.Juki.Office.WriteCanaries(f); err != nil {
		return err
	}
	return f.Close()
}

func pemOf(der []byte) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
}
