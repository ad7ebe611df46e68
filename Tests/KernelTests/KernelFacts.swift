import TestSupport
import Testing

/// What the product takes for granted about the kernel (`DESIGN.md` §2), one test a fact.
///
/// They count their own processes' events only: the machine may be busy with others'.
@Suite(.serialized, .kernel)
struct KernelFacts {}
