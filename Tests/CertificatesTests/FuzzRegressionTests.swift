internal import FuzzTargets
internal import Testing

struct FuzzRegressionTests {
  @Test(
    "no input that once broke a reader of certificates breaks it again", .timeLimit(.minutes(1)),
    arguments: try Regression.all(of: FuzzTarget.certificates))
  func replay(regression: Regression) throws { try regression.replay() }
}
