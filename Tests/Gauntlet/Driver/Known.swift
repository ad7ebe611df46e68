/// Failures of today that are understood. They are counted and printed as failures all the same.
///
/// Each has a named case that fails; when that one passes, its entry here is to go.
enum Known {
  /// B3.early-script
  static let earlyChild = "born in the batch of the exec of an agent that an interpreter runs"
  /// C2.open
  static let unwritten = "a killed service vouches for accesses that it had not written yet"
  /// A8
  static let lostName = "a link's former name, or a link that is gone"
  static let formerFile = "the last file that came to the name before the time counts, though it had left"

  static func isEarlyChild(_ deed: Deed, _ truth: Truth) -> Bool {
    deed.isLater && ["agent-script", "agent-loader"].contains(truth.plan.actors[deed.actor].form)
  }

  static func why(_ touch: Touch, isByName: Bool, _ truth: Truth) -> String? {
    if isEarlyChild(touch.deed, truth) { return earlyChild }
    let ways = Set(truth.plan.deeds.filter { $0.scene == touch.deed.scene }.map(\.way))
    if ways.contains("link"), touch.deed.way == "link" || !isByName { return lostName }
    return nil
  }
}
