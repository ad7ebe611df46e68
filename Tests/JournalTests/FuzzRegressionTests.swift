import FuzzTargets
import Testing

struct FuzzRegressionTests {
  @Test(
    "no input that once broke a reader of the journal breaks it again", .timeLimit(.minutes(1)),
    arguments: try Regression.all(of: FuzzTarget.journal))
  func replay(regression: Regression) throws { try regression.replay() }
}
