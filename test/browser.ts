/** A page of this machine as Debian's Chromium shows it, without a screen. */
import { pathToFileURL } from "node:url";
import { type Browser, chromium } from "playwright-core";

export interface Seen {
  /** Its words as a person sees them. */
  readonly text: string;
  /** What the console said: errors, warnings and all else. */
  readonly console: readonly string[];
  /** Addresses that were asked for, without the page's own. */
  readonly requests: readonly string[];
  /** Of each SVG: its label, and its size as it is laid out. */
  readonly drawings: readonly { readonly label: string; readonly width: number; readonly height: number }[];
  /** How far the page is wider than its window, pixels. */
  readonly overflow: number;
}

/** Labels of the charts that a report has for any run. */
export const trainingCharts = [
  "Loss over steps",
  "Loss over time",
  "Accuracy over steps",
  "Accuracy over time",
  "Time of a step, mean of the ranks",
  "Time of a step by rank, mean of all steps",
] as const;

/** @param width of the window, pixels */
export async function openPage(path: string, width = 1280): Promise<Seen> {
  const [seen] = await openPages([path, width]);
  return seen as Seen;
}

/** One page after another in one browser, each a path and the window's width in pixels. */
export async function openPages(...pages: readonly (readonly [string, number])[]): Promise<Seen[]> {
  const browser = await chromium.launch({ executablePath: "/usr/bin/chromium", args: ["--no-sandbox"] });
  try {
    const all: Seen[] = [];
    for (const [path, width] of pages) all.push(await openIn(browser, path, width));
    return all;
  } finally {
    await browser.close();
  }
}

async function openIn(browser: Browser, path: string, width: number): Promise<Seen> {
  const page = await browser.newPage({ viewport: { width, height: 900 } });
  const said: string[] = [];
  const requests: string[] = [];
  page.on("console", (message) => said.push(`${message.type()}: ${message.text()}`));
  page.on("pageerror", (error) => said.push(`uncaught: ${error.message}`));
  page.on("request", (request) => requests.push(request.url()));
  const address = pathToFileURL(path).href;
  await page.goto(address, { waitUntil: "load" });
  const seen = await page.evaluate<Pick<Seen, "text" | "drawings" | "overflow">>(`({
    text: [document.body.innerText, ...[...document.querySelectorAll("text")].map((each) => each.textContent)].join("\\n"),
    drawings: [...document.querySelectorAll("svg")].map((svg) => {
      const { width, height } = svg.getBoundingClientRect();
      return { label: svg.getAttribute("aria-label"), width, height };
    }),
    overflow: document.documentElement.scrollWidth - window.innerWidth,
  })`);
  await page.close();
  return { ...seen, console: said, requests: requests.filter((each) => each !== address) };
}
