/**
 * The order of the processes of one file: who has the lock commits for a *tenure*, then lets those go first who wait.
 *
 * They tell each other by a board of small numbers in a file that all map to (`Wake.ts`): place 0 says who has the turn and
 * counts the tenures, the others say who waits and since which tenure. All of it are hints: a board that is torn, stale
 * or full of the dead costs milliseconds, and what is committed is decided under SQLite's lock alone. No clock is shared:
 * everybody measures how long he himself has seen the board unchanged.
 */

/**
 * Commits of one process in a row before it lets others go first, in milliseconds. Handing over costs about two: a process
 * that has slept wakes, follows what the others wrote, and tries again what it had begun; and its first syncs after a sleep take
 * twice as long. With one fiber in each of four processes 8 ms gave 0.22 to 0.30 of one process alone, 25 ms 0.35 to 0.42.
 */
export const tenureMillis = 25

/** On a slow disk a turn lasts until this many transactions of the file were written: what it began before is lost. */
const tenureCommits = 8

/** But not for longer than this, in milliseconds. */
export const tenureMaxMillis = 64

/** A process that has the turn for this long by another's clock is passed by: it may be dead. In milliseconds. */
export const patienceMillis = 100

/** Time that each of those who wait longer is given to take a turn that is free, in milliseconds. */
export const aheadMillis = 1

/** Who waits for more tenures than this is thought dead: by then everybody else had many. */
export const forgottenTenures = 64

/** Places of the board: the turn, and 127 that wait; more processes than that wait for a place first. */
export const places = 128

/** The board, as others see it too: `places` pairs of numbers of 32 bits. */
export interface Board {
  /** Fills `words` with what stands there now. */
  readonly load: (words: Uint32Array) => void
  /** Writes the pair of one place. */
  readonly store: (words: Uint32Array, place: number) => void
  /** Wakes who waits for the turn. */
  readonly handOver: () => void
}

/** From one count of tenures to another, which both go round. */
const distance = (from: number, to: number): number => (to - from) | 0

export class Tenure {
  /** Whether this process has the turn and has had the lock in it, so that it knows what was committed before. */
  holds = false
  /** Whether the board said that this process has the turn when it was looked at last. */
  isTaken = false
  private readonly id: number
  private readonly board: Board
  private readonly words = new Uint32Array(2 * places)
  private since = 0
  /** Transactions of the file that were written in this tenure. */
  private written = 0
  /** Where this process says that it waits; 0: it does not. */
  private place = 0
  private arrival = 0
  /** What place 0 said when it changed last, and when that was seen. */
  private seenHolder = 0
  private seenCount = -1
  private seenAt = 0

  /** `id` names the process among the others; a number of 32 bits other than 0. */
  constructor(board: Board, id: number) {
    this.board = board
    this.id = id
  }

  /**
   * Milliseconds until this process may try the lock; 0: now. With others about (`isMet`, or they say so) it takes the turn
   * on the board, or says that it waits. Cost: reads the board.
   */
  wait(now: number, isMet: boolean): number {
    this.board.load(this.words)
    const wasMine = this.holds
    if (this.isTaken && !this.keeps(now)) this.holds = this.isTaken = false
    if (this.isTaken) return 0
    const holder = this.words[0]!
    const count = this.words[1]!
    if (holder !== this.seenHolder || count !== this.seenCount) {
      this.seenHolder = holder
      this.seenCount = count
      this.seenAt = now
    }
    if (this.place === 0) {
      const others = this.ahead(Infinity)
      if (holder === 0 && others === 0) {
        if (isMet) this.take()
        return 0
      }
      // Who comes from a tenure, or has written so far without taking turns, goes behind those who wait.
      this.arrival = (count + (wasMine || holder === 0 ? 1 : 0)) >>> 0
      if (!wasMine && holder === 0) {
        this.seenAt = now
        this.board.handOver()
      }
    }
    const waits = distance(this.arrival, count)
    // The count has jumped, which no process does: who waits must be seen by the others as long as it lives.
    if (waits < -1) this.arrival = count
    else if (waits > forgottenTenures) this.arrival = (count - forgottenTenures) >>> 0
    this.announce()
    const patience = (holder === 0 ? 0 : patienceMillis) + this.ahead(this.place) * aheadMillis
    const left = patience - (now - this.seenAt)
    if (left > 0) return left
    this.passBy()
    this.take()
    return 0
  }

  /** The lock was this process's, and `hasWritten` says whether a commit came of it. On the turn's first time its tenure begins. */
  had(now: number, hasWritten: boolean): void {
    if (!this.isTaken) return
    this.leave()
    if (!this.holds) {
      this.holds = true
      this.since = now
      this.written = 0
    }
    if (hasWritten) this.written++
  }

  /** Another process has the lock: it shall know that this one waits. */
  refused(): void {
    if (this.place === 0) this.arrival = this.words[1]!
    this.announce()
  }

  /** Nothing is left to be written: others need not wait for the end of the tenure. */
  idle(): void {
    if (!this.isTaken) return
    this.board.load(this.words)
    if (this.words[0] === this.id) this.release()
    this.holds = this.isTaken = false
  }

  close(): void {
    this.idle()
    this.leave()
  }

  /** Whether the turn is this process's still; gives it on when it had it for long enough and others wait. */
  private keeps(now: number): boolean {
    // Somebody thought it dead.
    if (this.words[0] !== this.id) return false
    if (!this.holds || now - this.since < (this.written < tenureCommits ? tenureMaxMillis : tenureMillis)) return true
    if (this.ahead(Infinity) === 0) {
      this.since = now
      this.written = 0
      return true
    }
    this.release()
    return false
  }

  private take(): void {
    this.words[0] = this.id
    this.words[1] = this.words[1]! + 1
    this.board.store(this.words, 0)
    this.isTaken = true
  }

  private release(): void {
    this.words[0] = 0
    this.board.store(this.words, 0)
    if (this.ahead(Infinity) > 0) this.board.handOver()
  }

  private announce(): void {
    const at = 2 * this.place
    if (this.place !== 0 && this.words[at] === this.id && this.words[at + 1] === this.arrival) return
    this.place = 0
    for (let place = 1; place < places && this.place === 0; place++) {
      const id = this.words[2 * place]!
      if (id === 0 || id === this.id || this.isForgotten(place)) this.place = place
    }
    if (this.place === 0) return
    this.put(this.id, this.arrival)
  }

  private leave(): void {
    if (this.place !== 0) this.put(0, 0)
    this.place = 0
  }

  private put(id: number, arrival: number): void {
    this.words[2 * this.place] = id
    this.words[2 * this.place + 1] = arrival
    this.board.store(this.words, this.place)
  }

  private isForgotten(place: number): boolean {
    const waits = distance(this.words[2 * place + 1]!, this.words[1]!)
    return waits > forgottenTenures || waits < -1
  }

  /** How many others wait and go before who waits at `mine`; all of them for `Infinity`. */
  private ahead(mine: number): number {
    let ahead = 0
    for (let place = 1; place < places; place++) if (this.isAhead(place, mine)) ahead++
    return ahead
  }

  private isAhead(place: number, mine: number): boolean {
    const id = this.words[2 * place]!
    if (id === 0 || id === this.id || this.isForgotten(place)) return false
    const after = distance(this.arrival, this.words[2 * place + 1]!)
    return mine === Infinity || after < 0 || (after === 0 && place < mine)
  }

  /** Frees the places of those who did not take the turn in their time; who lives says anew that it waits, since when. */
  private passBy(): void {
    for (let place = 1; place < places; place++) {
      if (!this.isAhead(place, this.place)) continue
      this.words[2 * place] = 0
      this.board.store(this.words, place)
    }
  }
}
