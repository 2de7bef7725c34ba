package rules

import "github.com/sukashi-project/sukashi/internal/jtext"

// scannerFile says which tables the residual-text scanner uses.
func scannerFile() any {
	return map[string]any{"unicode": jtext.UnicodeVersion, "version": jtext.ScannerVersion}
}
