/**
 * Reads source text well enough for house rules: blanks comments and strings out, and lists imports. Pure.
 *
 * Not a parser. It knows comments, quotes, templates with their `${}` and regular expressions by what stands before
 * them, which is enough for code that the formatter has put into its one form.
 */

/** A file of the repository: its path from the root with forward slashes, and its text. */
export interface Source {
  readonly path: string
  readonly text: string
}

export interface Import {
  readonly specifier: string
  readonly line: number
  /** `import type` or `export type`: erased before the program runs. */
  readonly typeOnly: boolean
  /** Names between the braces, empty for namespace and side effect imports. */
  readonly names: ReadonlyArray<string>
}

const blank = (text: string): string => text.replace(/[^\n]/g, " ")

const beforeRegex = /(?:[(,=:[!&|?{};+\-*%<>~^]|\b(?:return|typeof|case|in|of|do|else|yield|await))\s*$/

const endOfQuoted = (text: string, start: number): number => {
  const quote = text[start]
  let at = start + 1
  while (at < text.length && text[at] !== quote && text[at] !== "\n") at += text[at] === "\\" ? 2 : 1
  return at + 1
}

const endOfRegex = (text: string, start: number): number => {
  let at = start + 1
  let inClass = false
  while (at < text.length && text[at] !== "\n" && (inClass || text[at] !== "/")) {
    if (text[at] === "[") inClass = true
    if (text[at] === "]") inClass = false
    at += text[at] === "\\" ? 2 : 1
  }
  return at + 1
}

/** Blanks the text of a template, keeps the code inside `${}`; returns the code and where the template ends. */
const template = (text: string, start: number): readonly [string, number] => {
  let out = " "
  let at = start + 1
  while (at < text.length && text[at] !== "`") {
    if (text[at] === "\\") {
      out += "  "
      at += 2
    } else if (text.startsWith("${", at)) {
      const [code, end] = scan(text, at + 2, "}")
      out += `  ${code} `
      at = end + 1
    } else {
      out += text[at] === "\n" ? "\n" : " "
      at += 1
    }
  }
  return [`${out} `, at + 1]
}

/** Scans code from `start` up to the closing character at depth 0 (or to the end of the text). */
const scan = (text: string, start: number, close: string | undefined): readonly [string, number] => {
  let out = ""
  let at = start
  let depth = 0
  const skipTo = (end: number): void => {
    out += blank(text.slice(at, end))
    at = end
  }
  while (at < text.length) {
    const char = text[at]!
    if (char === close && depth === 0) break
    if (text.startsWith("//", at)) skipTo(indexOrEnd(text, "\n", at))
    else if (text.startsWith("/*", at)) skipTo(Math.min(text.length, indexOrEnd(text, "*/", at) + 2))
    else if (char === '"' || char === "'") skipTo(endOfQuoted(text, at))
    else if (char === "/" && (out.trim() === "" || beforeRegex.test(out.slice(-40)))) skipTo(endOfRegex(text, at))
    else if (char === "`") {
      const [code, end] = template(text, at)
      out += code
      at = end
    } else {
      if (char === "{") depth += 1
      if (char === "}") depth -= 1
      out += char
      at += 1
    }
  }
  return [out, at]
}

const indexOrEnd = (text: string, wanted: string, from: number): number => {
  const index = text.indexOf(wanted, from)
  return index === -1 ? text.length : index
}

/** The code alone: comments, strings and regular expressions replaced by blanks, so that offsets and lines still hold. */
export const codeOf = (text: string): string => scan(text, 0, undefined)[0]

export const lineAt = (text: string, index: number): number => text.slice(0, index).split("\n").length

const statement =
  /^[ \t]*(import|export)\b(?:[ \t]+(type)\b)?([^"'`;=]*?)(?:\bfrom\s*)?["']([^"'\n]+)["']|\bimport\(\s*["']([^"'\n]+)["']\s*\)/gm

const namesIn = (clause: string): ReadonlyArray<string> =>
  (/\{([\s\S]*)\}/.exec(clause)?.[1] ?? "")
    .split(",")
    .map((name) => name.trim().split(/\s+as\s+/)[0]!)
    .filter((name) => name !== "")

/** Imports and re-exports in order. Those inside comments are left out. */
export const importsOf = (text: string): ReadonlyArray<Import> => {
  const code = codeOf(text)
  return Array.from(text.matchAll(statement)).flatMap((match): ReadonlyArray<Import> => {
    const keyword = match.index + match[0].search(/\S/)
    if (code[keyword] === " " || code[keyword] === undefined) return []
    const specifier = match[4] ?? match[5]!
    const isImport = match[5] !== undefined || match[1] === "import" || /\bfrom\s*["'][^"']*["']$/.test(match[0])
    if (!isImport) return []
    const line = lineAt(text, keyword)
    return [{ specifier, line, typeOnly: match[2] === "type", names: namesIn(match[3] ?? "") }]
  })
}
