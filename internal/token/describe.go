package token

// Description is what a token says of itself and of one key pair.
type Description struct {
	Manufacturer string `json:"manufacturer"`
	Model        string `json:"model"`
	Serial       string `json:"serial"`
	Firmware     string `json:"firmware"`

	Sensitive        bool `json:"sensitive"`
	Extractable      bool `json:"extractable"`
	Local            bool `json:"local"`             // made on the token, not brought to it
	AlwaysSensitive  bool `json:"always_sensitive"`  // never was readable
	NeverExtractable bool `json:"never_extractable"` // never could leave
}

// Bound reports whether the private key was made on the token and can't leave
// it, now or ever before.
func (d Description) Bound() bool {
	return d.Sensitive && !d.Extractable && d.Local && d.AlwaysSensitive && d.NeverExtractable
}
