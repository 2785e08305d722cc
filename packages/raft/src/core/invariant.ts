/** Broken promises of the core itself are defects: they throw, the node ends. Pure. */

/** The node's state contradicts the protocol: a bug, or a disk that lies. The node must end and be looked at. */
export class InvariantViolation extends Error {
  override readonly name = "InvariantViolation"
  readonly rule: string
  constructor(rule: string, detail: string) {
    super(
      `raft invariant broken: ${rule}: ${detail}. The node must stop: keep its disk for inspection, the others go on.`
    )
    this.rule = rule
  }
}

/** Asserts a rule named in words; the detail is computed on failure only. */
export function invariant(condition: boolean, rule: string, detail: () => string): asserts condition {
  if (!condition) throw new InvariantViolation(rule, detail())
}
