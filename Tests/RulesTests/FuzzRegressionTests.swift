import FuzzTargets
import Testing

struct FuzzRegressionTests {
  @Test(
    "no input that once broke the rules breaks it again", .timeLimit(.minutes(1)),
    arguments: try Regression.all(of: FuzzTarget.rules))
  func replay(regression: Regression) throws { try regression.replay() }
}
