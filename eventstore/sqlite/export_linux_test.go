package sqlite

// CheckMagic is for tests.
var CheckMagic = checkMagic
