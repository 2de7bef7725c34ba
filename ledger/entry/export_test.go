package entry

// For the tests outside the package, which also use package schema.
var (
	NewBody        = newBody
	ParseCanonical = parseCanonical
	ParseWhole     = parseWhole
	MarshalJSON    = Entry.marshalJSON
)

const MaxSafeInteger = maxSafeInteger
