package entry

// For the tests outside the package, which also use package schema.
var NewBody = newBody

const MaxSafeInteger = maxSafeInteger
