package logkey

import (
	"encoding/base64"
	"errors"
)

// base64Key reads "type ‖ 32 bytes" of signed-note keys.
func base64Key(s string) ([]byte, error) {
	b, err := base64.StdEncoding.Strict().DecodeString(s)
	if err != nil || len(b) != 33 || b[0] != 1 {
		return nil, errors.New("not an Ed25519 key in base64")
	}
	return b[1:], nil
}
