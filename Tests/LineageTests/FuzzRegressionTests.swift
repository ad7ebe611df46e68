import FuzzTargets
import Testing

struct FuzzRegressionTests {
  @Test(
    "no input that once broke the attribution breaks it again", .timeLimit(.minutes(1)),
    arguments: try Regression.all(of: FuzzTarget.lineage))
  func replay(regression: Regression) throws { try regression.replay() }
}
