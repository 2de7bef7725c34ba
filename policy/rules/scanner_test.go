package rules

import "unicode"

// scannerFile says which tables the residual-text scanner uses.
func scannerFile() any {
	return map[string]any{"unicode": unicode.Version, "version": 1}
}
