package verify

import (
	"encoding/pem"
	"fmt"
	"time"

	"github.com/sukashi-project/sukashi/internal/say"
	"github.com/sukashi-project/sukashi/ledger/entry"
	"github.com/sukashi-project/sukashi/ledger/proof"
	"github.com/sukashi-project/sukashi/ledger/status"
)

// Input is a file with what it needs, as bytes.
type Input struct {
	File   []byte // tlog-proof, status receipt or report
	Policy []byte // trust policy (C2SP tlog-policy)
	Entry  []byte // for a tlog-proof and a report: the entry's exact bytes
	Proof  []byte // for a report: the tlog-proof of its review.report entry
	Cert   []byte // for a status receipt, optional: the certificate, PEM or DER
}

// Detect says what a file is by its first bytes.
func Detect(b []byte) Kind {
	switch {
	case proof.IsReceipt(b):
		return KindProof
	case proof.IsStatusReceipt(b):
		return KindStatus
	case len(b) > 0 && b[0] == '{':
		if _, err := entry.Parse(b); err == nil {
			return KindEntry
		}
		return KindReport
	}
	return KindUnknown
}

// Check checks a file. It does no I/O.
func Check(in Input) *Result {
	r := &Result{Kind: Detect(in.File)}
	if r.Kind == KindUnknown || r.Kind == KindEntry {
		return r.fail(say.New("verify.kind",
			"証明ファイル、状態証明、報告書のいずれでもありません。",
			"It is neither a tlog-proof nor a status receipt nor a report."))
	}
	p, err := proof.ParsePolicy(in.Policy)
	if err != nil {
		return r.fail(err)
	}
	c := checker{r: r, p: p}
	switch r.Kind {
	case KindProof:
		_, err = c.receipt(in.File, in.Entry)
	case KindStatus:
		err = c.status(in.File, in.Cert)
	case KindReport:
		err = c.report(in)
	}
	if err != nil {
		return r.fail(err)
	}
	return r
}

type checker struct {
	r *Result
	p *proof.Policy
}

// checkpoint is the step that all kinds share.
func (c *checker) checkpoint(note []byte) error {
	cp, err := c.p.VerifyCheckpoint(note)
	if err != nil {
		return err
	}
	c.r.ok("checkpoint", "ログ「%s」の %d 件目までのチェックポイントに、ログの正しい署名があります。",
		"The checkpoint of log %s over %d entries has the log's valid signature.", cp.Origin, cp.Size)
	if !c.p.NeedsWitnesses() {
		c.r.note("no-witness", "信頼方針は証人を求めていません。ログが人によって違う記録を見せていても分かりません。",
			"The trust policy asks for no witness: a log that shows different people different histories would go unnoticed.")
		return nil
	}
	c.step("witnesses",
		fmt.Sprintf("証人 %d 者の正しい署名があり、必要な数に足ります (%s 時点)。", len(cp.Cosigned), jst(cp.Witnessed)),
		fmt.Sprintf("%d witnesses cosigned it validly, which is enough (as of %s).", len(cp.Cosigned), utc(cp.Witnessed)))
	return nil
}

func (c *checker) step(code, ja, en string) {
	c.r.Steps = append(c.r.Steps, Step{Code: code, OK: true, Text: say.Text{JA: ja, EN: en}})
}

// receipt checks a tlog-proof with its entry.
func (c *checker) receipt(file, entryBytes []byte) (*entry.Entry, error) {
	rc, err := proof.ParseReceipt(file)
	if err != nil {
		return nil, err
	}
	if err := c.checkpoint(rc.Checkpoint); err != nil {
		return nil, err
	}
	if entryBytes == nil {
		return nil, say.New("verify.entry", "証明の対象となる記録のファイルがありません。",
			"The entry that the proof is about is missing.").
			Hint("記録のファイルを指定してください。", "Name the entry's file.")
	}
	if _, err := c.p.VerifyReceipt(rc, entryBytes); err != nil {
		return nil, err
	}
	c.r.ok("inclusion", "記録は、このログの %d 番にこの内容のとおり載っています。",
		"The entry is in this log at index %d with exactly this content.", rc.Index)
	e, err := entry.Parse(entryBytes)
	if err != nil {
		c.r.note("content", "記録の内容は sukashi の形式ではありません。", "The entry's content is not in sukashi's format.")
		return nil, nil
	}
	c.r.Steps = append(c.r.Steps, Step{Code: "content", OK: true, Note: true, Text: say.Text{
		JA: fmt.Sprintf("内容: %s、記録者 %s の %d 番、%s。", e.Body.Kind(), e.By, e.Seq, jst(e.At.Std())),
		EN: fmt.Sprintf("Content: %s, number %d of writer %s, %s.", e.Body.Kind(), e.Seq, e.By, utc(e.At.Std())),
	}})
	return &e, nil
}

// status checks a status receipt.
func (c *checker) status(file, cert []byte) error {
	s, err := proof.ParseStatusReceipt(file)
	if err != nil {
		return err
	}
	if err := c.checkpoint(s.Checkpoint); err != nil {
		return err
	}
	der, err := certificate(cert)
	if err != nil {
		return err
	}
	res, err := c.p.VerifyStatus(s, der)
	if err != nil {
		return err
	}
	c.r.ok("issued", "発行通番 %d の証明書が発行されたことが、ログに載っています。",
		"That the certificate with ordinal %d was issued is in the log.", res.Ordinal)
	c.r.ok("latest", "チェックポイントの最後の記録が、全 %d 件を対象とする状態の記録です。",
		"The last entry under the checkpoint commits to the status of all %d certificates.", res.Root.Size)
	if der != nil {
		c.r.ok("certificate", "状態証明は、示された証明書のものです。", "The receipt is for the given certificate.")
	} else {
		c.r.note("certificate", "証明書が示されていないので、どの証明書のものかは比べていません。",
			"No certificate was given, so it was not compared with one.")
	}
	words := map[status.State]say.Text{
		status.Valid: {JA: "有効", EN: "valid"}, status.Revoked: {JA: "失効", EN: "revoked"}, status.Held: {JA: "停止中", EN: "held"},
	}
	by := say.Text{JA: "ログが記した時刻", EN: "the log's own time"}
	if res.Witnessed {
		by = say.Text{JA: "証人の時刻", EN: "the witnesses' time"}
	}
	c.step("state",
		fmt.Sprintf("証明書の状態は「%s」です (%s 現在、%s)。", words[res.State].JA, jst(res.AsOf), by.JA),
		fmt.Sprintf("The certificate's status is %s (as of %s, %s).", words[res.State].EN, utc(res.AsOf), by.EN))
	return nil
}

// certificate reads PEM or DER; nil gives nil.
func certificate(b []byte) ([]byte, error) {
	if b == nil || len(b) > 2 && b[0] == 0x30 {
		return b, nil
	}
	block, _ := pem.Decode(b)
	if block == nil || block.Type != "CERTIFICATE" {
		return nil, say.New("verify.certificate", "証明書のファイルを読み取れません。", "The certificate file can't be read.")
	}
	return block.Bytes, nil
}

// report checks that this very report was put into the log by the council.
func (c *checker) report(in Input) error {
	if in.Proof == nil {
		return say.New("verify.report-proof", "報告書がログに載ったことの証明ファイルがありません。",
			"The proof that the report is in the log is missing.").
			Hint("報告書と同じ場所に report.tlog-proof と report.entry.json を置いてください。",
				"Put report.tlog-proof and report.entry.json beside the report.")
	}
	e, err := c.receipt(in.Proof, in.Entry)
	if err != nil {
		return err
	}
	var b *entry.ReviewReport
	if e != nil {
		b, _ = e.Body.(*entry.ReviewReport)
	}
	if b == nil || e.By != entry.ByCouncil {
		return wrong("verify.report-entry", "証明の対象は、審議会の報告書の記録ではありません。",
			"The proven entry is not a council's report entry.")
	}
	if b.Digest != entry.Sum(in.File) {
		return wrong("verify.report-digest", "報告書の内容が、ログに載せられたものと異なります。",
			"The report's content is not the one that was put into the log.")
	}
	c.r.ok("digest", "報告書は、ログに載せられたものとバイト単位で同じです。",
		"The report is byte for byte the one that was put into the log.")
	c.r.note("items", "対象はログの先頭から %d 件、判定は A %d 件、B %d 件、C %d 件、D %d 件です。",
		"It covers the first %d entries; its verdicts are A %d, B %d, C %d, D %d.",
		b.Covers, b.Items.A, b.Items.B, b.Items.C, b.Items.D)
	return nil
}

var tokyo = time.FixedZone("JST", 9*60*60)

func jst(t time.Time) string { return t.In(tokyo).Format("2006年1月2日 15:04:05 JST") }
func utc(t time.Time) string { return t.UTC().Format("2006-01-02 15:04:05 UTC") }
