import TestSupport
import Testing

/// Everything that runs a service: one after the other, because one test's stranger is another's incident.
@Suite(.kernel, .serialized)
enum ServiceTests {}
