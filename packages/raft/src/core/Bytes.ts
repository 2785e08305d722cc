/**
 * Writing and reading of the core's binary forms: unsigned varints up to 2^53 - 1 (LEB128), strings in UTF-8 and bytes, both
 * after their length. Reading checks bounds: `MalformedBytes` instead of nonsense. Pure.
 */

/** Bytes that are not what they should be: a peer of another protocol, or damage that a checksum should have found. */
export class MalformedBytes extends Error {
  override readonly name = "MalformedBytes"
  constructor(what: string, offset: number) {
    super(
      `cannot read ${what} at byte ${offset}: the bytes are cut off or not in this format; nothing of them was used`
    )
  }
}

const encoder = new TextEncoder()
const decoder = new TextDecoder("utf-8", { fatal: true })

export class Writer {
  private bytes: Uint8Array
  private length = 0

  constructor(sizeHint = 64) {
    this.bytes = new Uint8Array(sizeHint)
  }

  private room(size: number): void {
    const needed = this.length + size
    if (needed <= this.bytes.length) return
    const larger = new Uint8Array(Math.max(needed, this.bytes.length * 2))
    larger.set(this.bytes.subarray(0, this.length))
    this.bytes = larger
  }

  byte(value: number): void {
    this.room(1)
    this.bytes[this.length++] = value
  }

  /** Unsigned integer up to 2^53 - 1. */
  uint(value: number): void {
    this.room(8)
    let rest = value
    while (rest >= 128) {
      this.bytes[this.length++] = (rest % 128) | 128
      rest = Math.floor(rest / 128)
    }
    this.bytes[this.length++] = rest
  }

  bool(value: boolean): void {
    this.byte(value ? 1 : 0)
  }

  /** Any number, 8 bytes. */
  float(value: number): void {
    this.room(8)
    new DataView(this.bytes.buffer).setFloat64(this.length, value)
    this.length += 8
  }

  blob(value: Uint8Array): void {
    this.uint(value.length)
    this.room(value.length)
    this.bytes.set(value, this.length)
    this.length += value.length
  }

  text(value: string): void {
    this.blob(encoder.encode(value))
  }

  done(): Uint8Array {
    return this.bytes.subarray(0, this.length)
  }
}

export class Reader {
  private readonly bytes: Uint8Array
  private offset = 0

  constructor(bytes: Uint8Array) {
    this.bytes = bytes
  }

  get atEnd(): boolean {
    return this.offset === this.bytes.length
  }

  private take(size: number, what: string): number {
    const at = this.offset
    if (size > this.bytes.length - at) throw new MalformedBytes(what, at)
    this.offset += size
    return at
  }

  byte(): number {
    return this.bytes[this.take(1, "a byte")] as number
  }

  uint(): number {
    let value = 0
    for (let factor = 1, count = 0; ; factor *= 128, count++) {
      const byte = this.byte()
      value += (byte & 127) * factor
      if (byte < 128) {
        if (!Number.isSafeInteger(value)) throw new MalformedBytes("an integer", this.offset)
        return value
      }
      if (count === 7) throw new MalformedBytes("an integer", this.offset)
    }
  }

  bool(): boolean {
    const value = this.byte()
    if (value > 1) throw new MalformedBytes("a boolean", this.offset - 1)
    return value === 1
  }

  float(): number {
    const at = this.take(8, "a number")
    return new DataView(this.bytes.buffer, this.bytes.byteOffset + at, 8).getFloat64(0)
  }

  /** Shares the memory of the bytes that are read. */
  blob(): Uint8Array {
    const size = this.uint()
    const at = this.take(size, `${size} bytes`)
    return this.bytes.subarray(at, at + size)
  }

  text(): string {
    const at = this.offset
    try {
      return decoder.decode(this.blob())
    } catch (cause) {
      if (cause instanceof MalformedBytes) throw cause
      throw new MalformedBytes("text", at)
    }
  }

  /** Nothing may follow. */
  end(): void {
    if (!this.atEnd) throw new MalformedBytes("the end", this.offset)
  }
}
