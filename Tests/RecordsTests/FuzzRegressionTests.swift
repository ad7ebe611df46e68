import FuzzTargets
import Testing

struct FuzzRegressionTests {
  @Test(
    "no input that once broke a pattern or a parser breaks it again", .timeLimit(.minutes(1)),
    arguments: try Regression.all(of: FuzzTarget.records))
  func replay(regression: Regression) throws { try regression.replay() }
}
