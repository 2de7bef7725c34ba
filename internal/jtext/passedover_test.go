package jtext

// ScanEveryView is Scan with every view of its values looked at and every
// character looked up, but for what is hidden, for the external tests to compare it with. What a view
// decodes is a value again, and is looked at as Scan does.
func ScanEveryView(values ...string) Findings {
	var f Findings
	for _, v := range values {
		if len(v) > maxScan {
			f.Encoded = true
			continue
		}
		var us []unit
		for _, u := range units(v) { // composed, then each character anew
			us = append(us, newUnit(u.r, u.digits, u.class))
		}
		real := sumOf(us)
		f.add(scanUnits(us, sum{units: minMorse, digits: minDigits, looksLike: minDigits, counts: 1, spoken: minDigits, rows: minDigits,
			tokens: minDigits, visible: real.visible, latin: real.latin}, 0))
	}
	if len(values) > 1 {
		f.add(scanSplit(values))
	}
	return f
}
