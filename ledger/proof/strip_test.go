package proof

import (
	"crypto/ed25519"
	"testing"
)

func TestStripAndOnly(t *testing.T) {
	w := filled(t, 3, 4)
	p := w.policy(t, "2")
	text := w.text(t, 4)
	k := keyFrom("stranger")
	stranger := sigText("stranger.example", typeLog, k.Public().(ed25519.PublicKey), ed25519.Sign(k, []byte(text)))
	good := string(w.sign(text, 0, 2))
	got, err := p.Strip([]byte(good + stranger + w.cosign(text, 2, 77)))
	if err != nil || string(got) != good {
		t.Fatalf("%v\n%s", err, got)
	}
	if _, err := p.Strip([]byte("x")); err == nil {
		t.Error("x stripped")
	}
	only, err := p.Only("w3")
	if err != nil {
		t.Fatal(err)
	}
	one, err := only.Strip([]byte(good))
	if err != nil || string(one) != string(w.sign(text, 2)) {
		t.Fatalf("%v\n%s", err, one)
	}
	if cp, err := only.VerifyCheckpoint(one); err != nil || cp.Cosigned[0].Witness != "w3" {
		t.Fatal(err)
	}
	if _, err := only.VerifyCheckpoint(w.sign(text)); err == nil {
		t.Error("the one witness is not needed")
	}
	if _, err := p.Only("w9"); err == nil {
		t.Error("a witness that isn't there")
	}
}
