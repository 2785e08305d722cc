/**
 * Resumes waiters one after the other from one loop: resuming runs a fiber on this stack, whose release grants the next, and
 * 10,000 of them nested would overflow it.
 */
export class HandOver {
  private ready: Array<() => void> = []
  private isDraining = false

  /** Calls it now, or when the call that runs now has returned. */
  run(resume: () => void): void {
    this.ready.push(resume)
    if (this.isDraining) return
    this.isDraining = true
    for (let i = 0; i < this.ready.length; i++) this.ready[i]!()
    this.ready = []
    this.isDraining = false
  }
}
