internal import FuzzTargets
internal import Testing

struct FuzzRegressionTests {
  @Test(
    "no input that once broke a reader of answers breaks it again", .timeLimit(.minutes(1)),
    arguments: try Regression.all(of: FuzzTarget.anchoring))
  func replay(regression: Regression) throws { try regression.replay() }
}
