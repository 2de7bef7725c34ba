package prove

import (
	"context"

	"github.com/sukashi-project/sukashi/policy/catalogue"
	"github.com/sukashi-project/sukashi/policy/rules"
)

// QuickRun looks at the bundle as a whole but proves only the given rule sets,
// without mutants and enumerations.
func QuickRun(ctx context.Context, b rules.Bundle, only ...catalogue.Ruleset) (Certificate, error) {
	return RunWith(ctx, b, Options{Quick: true, only: only})
}
