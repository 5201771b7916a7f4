package sandbox

// Name is the provider the root of the sandbox plays.
const Name = "epay"
