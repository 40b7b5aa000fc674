// Builds the pages: each one file with script and style inside, and hashes of both in its content security policy, so that nothing else can
// run in it. Usage: node build.mjs FOLDER.

import { createHash } from "node:crypto";
import { mkdir, readFile, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";

const here = dirname(fileURLToPath(import.meta.url));
const out = process.argv[2] ?? join(here, "dist");

// Each is src/pages/NAME.tsx in src/page.html: what it is called, what it may connect to, and what it says where scripts are switched off.
const PAGES = {
  compare: {
    kind: "pysurge comparison",
    connects: "'none'",
    unscripted: "This comparison is drawn by a script in this file. <code>pysurge compare</code> prints the same figures as text.",
  },
  dashboard: {
    kind: "pysurge dashboard",
    connects: "'self'",
    unscripted: "This dashboard is drawn by a script.",
  },
  "find-max": {
    kind: "pysurge find-max",
    connects: "'none'",
    unscripted: "This search is drawn by a script in this file. The same figures are in <code>find-max.json</code> beside it.",
  },
  report: {
    kind: "pysurge report",
    connects: "'none'",
    unscripted:
      "This report is drawn by a script in this file. The same figures are in <code>summary.json</code> and <code>timeseries.csv</code> beside it.",
  },
};

async function bundle(name) {
  const result = await build({
    entryPoints: [join(here, "src", "pages", `${name}.tsx`)],
    bundle: true,
    minify: true,
    write: false,
    outdir: out,
    format: "iife",
    target: ["chrome100", "firefox100", "safari15.4"],
    charset: "utf8",
    legalComments: "none",
    logLevel: "warning",
  });
  const text = (ending) => result.outputFiles.find((file) => file.path.endsWith(ending))?.text ?? "";
  // A script ends where the parser sees its end, in whatever string.
  return { script: text(".js").replaceAll("</script", "<\\/script"), style: text(".css") };
}

// What the licences of the libraries in the page ask for.
async function notices() {
  const { dependencies } = JSON.parse(await readFile(join(here, "package.json"), "utf8"));
  const shipped = Object.keys(dependencies).filter((name) => name !== "esbuild");
  const texts = shipped.map(async (name) => {
    const licence = await readFile(join(here, "node_modules", name, "LICENSE"), "utf8");
    return `${name}\n\n${licence.trim()}`;
  });
  return (await Promise.all(texts)).join("\n\n").replaceAll("--", "- -");
}

const hash = (text) => `'sha256-${createHash("sha256").update(text, "utf8").digest("base64")}'`;

async function page(name, { kind, connects, unscripted }) {
  const { script, style } = await bundle(name);
  const policy = [
    "default-src 'none'",
    `script-src ${hash(script)}`,
    `style-src ${hash(style)}`,
    "img-src data:",
    `connect-src ${connects}`,
    "base-uri 'none'",
    "form-action 'none'",
  ];
  const marks = {
    KIND: kind,
    POLICY: policy.join("; "),
    STYLE: style,
    UNSCRIPTED: `${unscripted} Scripts are switched off.`,
    SCRIPT: script,
    NOTICES: await notices(),
  };
  const html = await readFile(join(here, "src", "page.html"), "utf8");
  return html.replace(new RegExp(`%%(${Object.keys(marks).join("|")})%%`, "g"), (_, mark) => marks[mark]);
}

await mkdir(out, { recursive: true });
for (const [name, about] of Object.entries(PAGES)) {
  await writeFile(join(out, `${name}.html`), await page(name, about));
}
