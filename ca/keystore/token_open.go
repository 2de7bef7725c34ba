package keystore

// OpenToken opens an issuer key on tokens. Its Demo is false.
func OpenToken(c TokenConfig) (Key, error) {
	if err := c.validate(LabelIssuer); err != nil {
		return nil, err
	}
	if err := c.Gate.validate(); err != nil {
		return nil, err
	}
	b, err := openTokens(c)
	if err != nil {
		return nil, err
	}
	k, err := newGated(c.Gate, b)
	if err != nil {
		b.close()
		return nil, err
	}
	return k, nil
}

// OpenTokenResponder opens a responder key on tokens.
func OpenTokenResponder(c TokenConfig) (*Responder, error) {
	if err := c.validate(LabelOCSP); err != nil {
		return nil, err
	}
	b, err := openTokens(c)
	if err != nil {
		return nil, err
	}
	r, err := newResponder(c.Gate.Journal, c.Gate.Now, b)
	if err != nil {
		b.close()
		return nil, err
	}
	return r, nil
}
