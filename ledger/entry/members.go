package entry

import "bytes"

// The members of every body in canonical order: ascending by name. Tests hold
// them against the json tags.

func (d *Decision) members(c *codec) {
	c.open()
	c.flag("allow", &d.Allow)
	c.digest("bundle", &d.Bundle)
	list(c, "codes", &d.Codes, (*codec).text)
	c.str("engine", &d.Engine)
	c.str("facts", &d.Facts)
	c.num("policy", &d.Policy)
	c.str("ruleset", &d.Ruleset)
	c.close()
}

func (c *codec) decision(d *Decision) { c.name("decision"); d.members(c) }

func (b *Genesis) members(c *codec) {
	c.str("key", &b.Key)
	c.str("origin", &b.Origin)
	c.str("rules", &b.Rules)
}

func (b *KeyCreated) members(c *codec) {
	c.str("alg", &b.Alg)
	c.digest("record", &b.Record)
	c.str("role", &b.Role)
	c.digest("spki", &b.SPKI)
	if !c.write && c.peek(',') {
		b.TBS = new(Digest)
	}
	if b.TBS != nil {
		c.digest("tbs", b.TBS)
	}
}

func (b *KeyRetired) members(c *codec) {
	c.str("role", &b.Role)
	c.digest("spki", &b.SPKI)
}

func (a *Approval) members(c *codec) {
	c.open()
	c.str("key", &a.Key)
	c.str("sig", &a.Sig)
	c.close()
}

func (b *PolicyApproved) members(c *codec) {
	list(c, "approvals", &b.Approvals, func(c *codec, a *Approval) { a.members(c) })
	c.digest("bundle", &b.Bundle)
	c.digest("capabilities", &b.Capabilities)
	c.digest("grammar", &b.Grammar)
	c.digest("proof", &b.Proof)
	c.digest("scanner", &b.Scanner)
}

func (b *CertIntent) members(c *codec) {
	c.decision(&b.Decision)
	c.digest("issuer", &b.Issuer)
	c.str("municipality", &b.Municipality)
	c.num("ordinal", &b.Ordinal)
	c.digest("profile", &b.Profile)
	c.str("serial", &b.Serial)
	c.digest("subject", &b.Subject)
	c.digest("tbs", &b.TBS)
}

func (b *CertIssued) members(c *codec) {
	c.digest("certificate", &b.Certificate)
	c.num("ordinal", &b.Ordinal)
}

func (b *CertAborted) members(c *codec) {
	c.num("ordinal", &b.Ordinal)
	c.str("reason", &b.Reason)
}

func (h *Holders) members(c *codec) {
	c.str("day", &h.Day)
	c.num("gone", &h.Gone)
	c.num("new", &h.New)
	c.digest("set", &h.Set)
	c.num("total", &h.Total)
}

func (b *NoticeSent) members(c *codec) {
	c.decision(&b.Decision)
	c.digest("digest", &b.Digest)
	c.digest("holder", &b.Holder)
	c.str("mode", &b.Mode)
	c.num("notice", &b.Notice)
}

func (b *NoticeReceived) members(c *codec) {
	c.decision(&b.Decision)
	c.digest("digest", &b.Digest)
	c.num("notice", &b.Notice)
}

func (b *NoticeRefused) members(c *codec) {
	c.decision(&b.Decision)
	c.num("notice", &b.Notice)
}

func (b *RevocationRequested) members(c *codec) {
	c.decision(&b.Decision)
	c.str("ground", &b.Ground)
	c.num("ordinal", &b.Ordinal)
}

func (b *Revocation) members(c *codec) {
	c.num("cause", &b.Cause)
	c.str("ground", &b.Ground)
	c.num("ordinal", &b.Ordinal)
	c.time("recorded", &b.Recorded)
	c.str("serial", &b.Serial)
}

func (b *StatusRoot) members(c *codec) {
	c.num("covers", &b.Covers)
	c.num("issued", &b.Issued)
	c.num("revoked", &b.Revoked)
	c.digest("root", &b.Root)
	c.num("size", &b.Size)
}

func (b *CRLPublished) members(c *codec) {
	if !c.write && bytes.HasPrefix(c.buf, []byte(`"base"`)) {
		b.Base = new(uint64)
	}
	if b.Base != nil {
		c.num("base", b.Base)
	}
	c.num("covers", &b.Covers)
	c.num("entries", &b.Entries)
	c.digest("issuer", &b.Issuer)
	c.num("number", &b.Number)
	c.str("partition", &b.Partition)
	c.digest("tbs", &b.TBS)
}

func (b *Disclosure) members(c *codec) {
	c.str("basis", &b.Basis)
	list(c, "ordinals", &b.Ordinals, (*codec).number)
}

func (b *Erasure) members(c *codec) {
	c.str("basis", &b.Basis)
	list(c, "ordinals", &b.Ordinals, (*codec).number)
}

func (b *ReviewDraw) members(c *codec) {
	c.num("covers", &b.Covers)
	c.digest("seed", &b.Seed)
}

func (b *ReviewReport) members(c *codec) {
	c.num("covers", &b.Covers)
	c.digest("digest", &b.Digest)
	c.name("items")
	c.open()
	c.num("a", &b.Items.A)
	c.num("b", &b.Items.B)
	c.num("c", &b.Items.C)
	c.num("d", &b.Items.D)
	c.close()
}

func (b *SecurityEvent) members(c *codec) {
	c.str("code", &b.Code)
	c.num("count", &b.Count)
	c.time("from", &b.From)
	c.time("to", &b.To)
}

func (b *CrossIntent) members(c *codec) {
	c.digest("issuer", &b.Issuer)
	c.str("purpose", &b.Purpose)
	c.digest("record", &b.Record)
	c.str("serial", &b.Serial)
	c.digest("spki", &b.SPKI)
	c.digest("tbs", &b.TBS)
}

func (b *CrossRevoked) members(c *codec) {
	c.str("ground", &b.Ground)
	c.digest("issuer", &b.Issuer)
	c.digest("record", &b.Record)
	c.time("recorded", &b.Recorded)
	c.str("serial", &b.Serial)
}

func (b *KeySucceeded) members(c *codec) {
	c.digest("record", &b.Record)
	c.digest("spki", &b.SPKI)
	c.digest("successor", &b.Successor)
}

func (b *KeyLeaked) members(c *codec) {
	c.digest("record", &b.Record)
	c.digest("spki", &b.SPKI)
}

func (b *TestAnnounced) members(c *codec) {
	c.str("code", &b.Code)
	c.time("from", &b.From)
	c.time("to", &b.To)
}

func (b *OperatorAct) members(c *codec) {
	c.str("act", &b.Act)
	c.digest("officer", &b.Officer)
	c.str("phase", &b.Phase)
	c.digest("proposal", &b.Proposal)
}

func (b *Counts) members(c *codec) {
	c.str("day", &b.Day)
	c.num("gone", &b.Gone)
	c.num("lists", &b.Lists)
	c.num("new", &b.New)
	c.num("notices", &b.Notices)
	c.num("number", &b.Number)
	c.num("received", &b.Received)
	c.num("refused", &b.Refused)
}

func (b *CountsSent) members(c *codec) {
	b.Counts.members(c)
	c.str("signature", &b.Signature)
}

func (b *CountsReceived) members(c *codec) {
	b.Counts.members(c)
	c.str("sender", &b.Sender)
	c.str("signature", &b.Signature)
}
