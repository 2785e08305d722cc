/**
 * The TypeScript in the documents. Pure.
 *
 * A fence ```` ```ts ```` is compiled; ```` ```ts run ```` is also run, and what it prints must be the values after `// =>`, line
 * by line in order of the text; ```` ```ts continues ```` goes on from the block before it (and inherits its `run`);
 * ```` ```ts sketch ```` shows a shape and is left alone.
 */

export interface Block {
  /** The document, from the root of the repository. */
  readonly document: string
  /** Line of the first line of code, so that messages point into the document. */
  readonly line: number
  /** Code at its place: every other line of the document is blank. */
  readonly code: string
  readonly isRun: boolean
  readonly expected: ReadonlyArray<string>
}

interface Fence {
  readonly words: ReadonlyArray<string>
  readonly first: number
  readonly lines: ReadonlyArray<string>
}

/** Fences of a document whose language is `ts`. An unclosed one reaches to the end, as Markdown has it. */
const fences = (text: string): ReadonlyArray<Fence> => {
  const lines = text.split("\n")
  const found: Array<Fence> = []
  for (let at = 0; at < lines.length; at++) {
    const open = /^(\s*)(```+)(\S*)\s*(.*)$/.exec(lines[at]!)
    if (open === null) continue
    const close = new RegExp(`^\\s*${open[2]}\\s*$`)
    const end = lines.findIndex((line, index) => index > at && close.test(line))
    const last = end === -1 ? lines.length : end
    if (open[3] === "ts" || open[3] === "typescript") {
      found.push({ words: open[4]!.split(/\s+/).filter(Boolean), first: at + 1, lines: lines.slice(at + 1, last) })
    }
    at = last
  }
  return found
}

const known = new Set(["run", "continues", "sketch"])

/** Values that the block promises to print: what stands after `// =>`. */
export const expectedOf = (code: string): ReadonlyArray<string> =>
  code.split("\n").flatMap((line) => {
    const match = /\/\/ => ?(.*)$/.exec(line)
    return match === null ? [] : [match[1]!.trimEnd()]
  })

/** The code of a fence at its place in the document, on top of what it continues. */
const place = (fence: Fence, before: string): string => {
  const above = before === "" ? [] : before.split("\n")
  const padding = Array.from({ length: Math.max(0, fence.first - above.length) }, () => "")
  return [...above, ...padding, ...fence.lines].join("\n")
}

/** Blocks to compile, in order. Throws on a word after `ts` that means nothing: it would silently skip a check. */
export const blocksOf = (document: string, text: string): ReadonlyArray<Block> => {
  const blocks: Array<Block> = []
  for (const fence of fences(text)) {
    const unknown = fence.words.find((word) => !known.has(word))
    if (unknown !== undefined) {
      throw new Error(`${document}:${fence.first}: "${unknown}" after \`\`\`ts; known are ${[...known].join(", ")}`)
    }
    if (fence.words.includes("sketch")) continue
    const previous = fence.words.includes("continues") ? blocks.at(-1) : undefined
    const code = place(fence, previous?.code ?? "")
    const isRun = fence.words.includes("run") || previous?.isRun === true
    blocks.push({ document, line: fence.first + 1, code, isRun, expected: expectedOf(code) })
  }
  return blocks
}

export interface Link {
  readonly line: number
  readonly target: string
}

/** Links of a document to files of this repository, without their `#part`. */
export const linksOf = (text: string): ReadonlyArray<Link> =>
  text.split("\n").flatMap((line, index) =>
    Array.from(line.matchAll(/\]\(([^)\s]+)\)/g), (match) => match[1]!)
      .filter((target) => !/^(?:[a-z]+:|#)/.test(target))
      .map((target) => ({ line: index + 1, target: target.replace(/#.*$/, "") }))
  )
