// Package people invents residents of Nagano prefecture and what happens to
// them: made-up persons at real places, the same for the same seed.
//
// Nobody in it is real: family and given names come from public lists and are
// combined by a random source; resident codes are test codes (prefix 99999 for
// the first 100,000, then counting down, jtext.MakeResidentCode). It promises
// that any number of residents can be made, that each difficulty of DOMAIN 10 and 11.4 occurs at a documented share (and at least
// once from 100 residents on), and that new names and addresses of Changes are
// strings that no other resident has, so that a test can look for them. It
// never draws from a clock or a system source.
//
//	rs, err := people.Generate(1, 1000)
//	changes := people.Changes(1, rs, 0.2)
package people
