package profile

import (
	"bytes"
	"testing"
)

// What a profile remembers of other certificates doesn't show in the next one:
// for every mix of place, address, issuer and person it gives the bytes of a
// profile that has made none.
func TestFrameChangesNothing(t *testing.T) {
	_, one := makeRoot(t, keys()["root"])
	_, two := makeRoot(t, keys()["ec"])
	used := shippedProfile(t, Resident)
	nagano := Place{Code: "202011", Prefecture: "Nagano-ken", Municipality: "Nagano-shi"}
	for range 2 {
		for i, change := range []func(*Request){
			func(*Request) {},
			func(r *Request) { r.Place = nagano },
			func(r *Request) { r.BaseURL = "http://127.0.0.1:9090" },
			func(r *Request) { r.Issuer = two },
			func(r *Request) { r.Place, r.Issuer = nagano, two },
			func(r *Request) { r.Ordinal, r.CommonName = 4712, "2026040109301500008202029A01" },
			func(r *Request) {
				r.Subject.Name, r.Subject.NameMap, r.PublicKey = "透見　太郎", "00000", keys()["ec384"].Public()
			},
		} {
			r := residentRequest(t, one)
			change(&r)
			got, err := used.BuildCertificateTBS(r)
			if err != nil {
				t.Fatal(i, err)
			}
			if want, err := shippedProfile(t, Resident).BuildCertificateTBS(r); err != nil || !bytes.Equal(got, want) {
				t.Errorf("request %d: other bytes than from a fresh profile: %v", i, err)
			}
		}
	}
	if n := len(used.frames.all); n != 5 {
		t.Errorf("%d frames for five mixes", n)
	}
}
