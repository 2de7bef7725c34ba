//go:build cgo

package token

import (
	"errors"
	"fmt"
	"strings"

	"github.com/miekg/pkcs11"
)

// Has reports whether the token has a private or public key under the label.
func Has(t Token, label string) (bool, error) {
	s, err := t.login(pkcs11.CKF_SERIAL_SESSION)
	if err != nil {
		return false, err
	}
	defer t.Module.ctx.CloseSession(s)
	for _, class := range []uint{pkcs11.CKO_PRIVATE_KEY, pkcs11.CKO_PUBLIC_KEY} {
		found, err := find(t.Module.ctx, s, class, pkcs11.NewAttribute(pkcs11.CKA_LABEL, label))
		if err != nil || len(found) > 0 {
			return len(found) > 0, err
		}
	}
	return false, nil
}

// Describe asks the token about itself and the private key under the label.
func Describe(t Token, label string) (Description, error) {
	var d Description
	slot, err := t.slot()
	if err != nil {
		return d, err
	}
	info, err := t.Module.ctx.GetTokenInfo(slot)
	if err != nil {
		return d, fmt.Errorf("couldn't ask the token about itself: %w", err)
	}
	trim := func(s string) string { return strings.TrimRight(s, " \x00") }
	d.Manufacturer, d.Model, d.Serial = trim(info.ManufacturerID), trim(info.Model), trim(info.SerialNumber)
	d.Firmware = fmt.Sprintf("%d.%d", info.FirmwareVersion.Major, info.FirmwareVersion.Minor)
	s, err := t.login(pkcs11.CKF_SERIAL_SESSION)
	if err != nil {
		return d, err
	}
	c := t.Module.ctx
	defer c.CloseSession(s)
	key, err := findKey(c, s, label)
	if err != nil {
		return d, err
	}
	yes := map[uint]*bool{pkcs11.CKA_SENSITIVE: &d.Sensitive, pkcs11.CKA_EXTRACTABLE: &d.Extractable, pkcs11.CKA_LOCAL: &d.Local,
		pkcs11.CKA_ALWAYS_SENSITIVE: &d.AlwaysSensitive, pkcs11.CKA_NEVER_EXTRACTABLE: &d.NeverExtractable}
	for attribute, flag := range yes {
		a, err := c.GetAttributeValue(s, key.key, []*pkcs11.Attribute{pkcs11.NewAttribute(attribute, nil)})
		if err != nil || len(a) != 1 || len(a[0].Value) != 1 {
			return d, errors.Join(errors.New("the token doesn't say how the key is kept"), err)
		}
		*flag = a[0].Value[0] != 0
	}
	return d, nil
}
