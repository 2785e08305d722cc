/** A broken rule of the protocol or of the simulation itself: a defect, never a typed error. */
export class InvariantViolated extends Error {
  override readonly name = "InvariantViolated"
  /** The rule in words, with its source: stable, so that failures of many seeds can be grouped by it. */
  readonly rule: string
  constructor(rule: string, detail: string) {
    super(`${rule}: ${detail}`)
    this.rule = rule
  }
}

/** Throws {@link InvariantViolated} unless `condition` holds; the detail is computed on failure only. */
export function invariant(condition: boolean, rule: string, detail: () => string): asserts condition {
  if (!condition) throw new InvariantViolated(rule, detail())
}
