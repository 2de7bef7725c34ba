package audit

import (
	"container/heap"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/sukashi-project/sukashi/ledger/entry"
	"github.com/sukashi-project/sukashi/review/pki"
)

// fileCert is what the auditor keeps of a certificate file.
type fileCert struct {
	name      string
	serial    string
	tbs       entry.Digest
	spki      entry.Digest
	issuer    entry.Digest // key that made the signature; zero: none of the known issuers
	notBefore time.Time
	notAfter  time.Time
	points    []string
	fault     string // how it breaks the profile; empty: it does not
	isCA      bool
	matched   bool
}

// errStop ends an iteration early.
var errStop = errors.New("stop")

// material reads what was handed over besides the log, before the log is read.
func (a *auditor) material() error {
	a.loadEarlier()
	for _, f := range a.src.Issuers {
		c, err := pki.ParseCertificate(f.Bytes)
		if err != nil {
			return fmt.Errorf("couldn't read issuer certificate %s: %w", f.Name, err)
		}
		a.issuers = append(a.issuers, c)
	}
	if a.src.Certificates == nil {
		const ja, en = "証明書が渡されていません。", "No certificates were handed over."
		for _, c := range []checkID{ckCertFiles, ckBehindBack, ckBackdating, ckProfile} {
			a.skip(c, ja, en)
		}
		return nil
	}
	return a.src.Certificates(func(f File) error {
		a.loadCertificate(f)
		return nil
	})
}

func (a *auditor) loadCertificate(f File) {
	a.figures.Certificates.Files++
	a.count(ckBehindBack)
	c, err := pki.ParseCertificate(f.Bytes)
	if err != nil {
		a.failFile(ckProfile, f.Name, text("このファイルは証明書として読み取れません。", "This file can't be read as a certificate."))
		return
	}
	fc := &fileCert{name: f.Name, serial: c.Serial, tbs: c.TBS, spki: c.SPKI, notBefore: c.NotBefore, notAfter: c.NotAfter, points: c.Points, isCA: c.IsCA}
	for _, i := range a.issuers {
		if c.SignedBy(i) == nil {
			fc.issuer = i.SPKI
			break
		}
	}
	fc.fault = profileFault(c)
	a.files[c.Digest] = fc
}

// profileFault names the first way in which a resident's certificate breaks
// the profile of DOMAIN 6.2, or "".
func profileFault(c *pki.Certificate) string {
	_, has := c.Attributes()
	switch {
	case c.IsCA:
		return ""
	case !has:
		return "attributes"
	case len(c.UnknownCritical) > 0:
		return "critical-extension"
	case slices.Contains(c.Policies, pki.ProductionPolicy):
		return "production-policy"
	case len(c.Policies) != 1:
		return "policies"
	case len(c.Points) == 0:
		return "distribution-point"
	case len(c.IssuerID) == 0:
		return "authority-key"
	}
	return ""
}

// matchFile compares a certificate file with its announcement.
func (a *auditor) matchFile(it *item, ordinal uint64, c *certState, f *fileCert) {
	f.matched, c.file = true, f
	heap.Push(&a.expiries, expiry{f.notAfter, ordinal})
	a.count(ckCertFiles)
	if f.tbs != c.tbs {
		a.failFile(ckCertFiles, f.name, text("番号 %d の証明書は、予告された内容(記録 %d)と違います。", "Certificate %d is not what was announced (entry %d).", ordinal, c.intent-1), c.intent-1, it.index)
	}
	if k := makeSerialKey(c.serial.issuer, f.serial); k != c.serial {
		a.failFile(ckCertFiles, f.name, text("番号 %d の証明書の発行番号が、予告(記録 %d)と違います。", "The serial of certificate %d is not the announced one (entry %d).", ordinal, c.intent-1), c.intent-1, it.index)
	}
	if len(a.issuers) > 0 && f.issuer != c.serial.issuer {
		a.failFile(ckCertFiles, f.name, text("番号 %d の証明書の署名が、予告された発行者の鍵によるものではありません。", "Certificate %d is not signed with the announced issuer key.", ordinal), c.intent-1, it.index)
	}
	a.count(ckBackdating)
	if early := c.at.Std().Unix() - f.notBefore.Unix(); early > int64(a.o.Clock.Seconds()) {
		a.failFile(ckBackdating, f.name, text("番号 %d の証明書の有効期間は、予告(記録 %d)より %d 秒前から始まっています。", "The validity of certificate %d begins %[3]d seconds before its announcement (entry %[2]d).", ordinal, c.intent-1, early), c.intent-1)
	}
	a.count(ckProfile)
	if f.fault != "" || f.isCA {
		a.failFile(ckProfile, f.name, text("番号 %d の証明書が様式に合っていません(%s)。", "Certificate %d breaks its profile (%s).", ordinal, f.fault), it.index)
	}
	if seen, ok := a.points[c.municipality]; !ok {
		a.points[c.municipality] = f.points
	} else if !slices.Equal(seen, f.points) {
		a.failFile(ckProfile, f.name, text("番号 %d の証明書の失効リストの配布点が、同じ市町村のほかの証明書と違います。", "The distribution point of certificate %d is not that of other certificates of its municipality.", ordinal), it.index)
	}
}

// finishFiles looks for certificates that the log does not know.
func (a *auditor) finishFiles() {
	if a.src.Certificates == nil {
		return
	}
	names := make([]*fileCert, 0)
	for _, f := range a.files {
		if !f.matched {
			names = append(names, f)
		}
	}
	slices.SortFunc(names, func(x, y *fileCert) int {
		if x.name < y.name {
			return -1
		}
		return 1
	})
	if len(names) == 0 {
		return
	}
	announced := make(map[entry.Digest]uint64, len(a.certs))
	for o := range a.certs {
		if c := &a.certs[o]; !c.filler() {
			announced[c.tbs] = uint64(o)
		}
	}
	for _, f := range names {
		a.strangeFile(f, announced)
	}
}

// strangeFile judges a certificate that no cert.issued entry names.
func (a *auditor) strangeFile(f *fileCert, announced map[entry.Digest]uint64) {
	if a.keys[f.spki] != nil && a.announcedByKey(f.tbs) {
		return // the certificate of an issuer or responder key
	}
	if len(a.issuers) > 0 && f.issuer == (entry.Digest{}) {
		a.add(ckBehindBack, Finding{Class: ClassB, Severity: Warn, File: f.name,
			Text: text("この証明書の署名は、知られている発行者の鍵によるものではありません。", "This certificate is not signed with any known issuer key.")})
		return
	}
	if o, ok := announced[f.tbs]; ok {
		c := &a.certs[o]
		if c.end == 0 {
			a.add(ckBehindBack, Finding{Class: ClassB, Severity: Warn, File: f.name, Entries: []uint64{c.intent - 1},
				Text: text("この証明書は予告(番号 %d)どおりに署名されていますが、発行の記録がまだありません。", "This certificate was signed as announced (number %d), but its issue is not recorded yet.", o)})
			return
		}
		a.failFile(ckBehindBack, f.name, text("この証明書は予告(番号 %d)に基づきますが、記録された証明書と違います。二通めか、中止された発行の署名です。", "This certificate follows announcement %d but is not the recorded one: a second signature, or one for an aborted issue.", o), c.intent-1, c.end-1)
		return
	}
	a.failFile(ckBehindBack, f.name, text("この証明書には発行予告がありません。ログに隠れて署名されています。", "This certificate was never announced: it was signed behind the ledger's back."))
}

// finishIssuers checks that the issuer certificates at hand are logged keys'.
func (a *auditor) finishIssuers() {
	if len(a.issuers) == 0 {
		a.skip(ckIssuerFiles, "発行者証明書が渡されていません。", "No issuer certificate was handed over.")
		return
	}
	for i, c := range a.issuers {
		a.count(ckIssuerFiles)
		k := a.keys[c.SPKI]
		switch {
		case k == nil || k.role != "issuer":
			a.failFile(ckIssuerFiles, a.src.Issuers[i].Name, text("この発行者証明書の鍵は、ログに登録されていません。", "The key of this issuer certificate is not registered in the log."))
		case !a.announcedByKey(c.TBS):
			a.failFile(ckIssuerFiles, a.src.Issuers[i].Name, text("この発行者証明書は、登録されたもの(記録 %d)と違います。", "This issuer certificate is not the registered one (entry %d).", k.created), k.created)
		}
	}
}

// announcedByKey reports whether a key.created entry announced a certificate.
func (a *auditor) announcedByKey(tbs entry.Digest) bool {
	for _, d := range a.keyTBS {
		if d == tbs {
			return true
		}
	}
	return false
}
