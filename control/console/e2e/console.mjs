// The console in a real browser, against a live ulvsd. Started by scripts/e2e/console_test.sh, which sets the variables below.
//
// Each view is looked at, each change is made by the page and then asked of ulvsd, and what other sites try is refused. Pictures
// of all views stay in the folder for a person to look at.

import assert from "node:assert/strict";
import { execFileSync, spawn } from "node:child_process";
import { mkdirSync, openSync, readFileSync, writeFileSync } from "node:fs";
import { createServer, request } from "node:http";
import { setTimeout as sleep } from "node:timers/promises";
import { chromium } from "playwright-core";

const { CONSOLE: origin, PICTURES: folder, TOKEN_FILE, XTASK, CTL, RUN, CHROMIUM, ULVSD } = process.env;
mkdirSync(folder, { recursive: true });
const token = readFileSync(TOKEN_FILE, "utf8").trim();

const NAT = "tcp 10.77.0.101:80";
const [RS1, RS2, RS3] = ["10.77.2.11:8080", "10.77.2.12:8080", "10.77.2.13:8080"];

const ctl = (...words) => execFileSync(CTL, words, { encoding: "utf8", maxBuffer: 1 << 28 });
const services = () => JSON.parse(ctl("services", "--json"));
const service = (name) => services().find((one) => `${one.protocol} ${one.address}` === name);
const server = (name, address) => service(name)?.real_servers.find((one) => one.address === address);

async function eventually(what, is, seconds = 20) {
  const deadline = Date.now() + seconds * 1000;
  let last;
  while (Date.now() < deadline) {
    last = await is();
    if (last) return last;
    await sleep(100);
  }
  assert.fail(`still not so after ${seconds} s: ${what}`);
}

function step(name) {
  console.log(`- ${name}`);
}

/** A raw request, with headers that a browser would not let a page set. */
function raw(method, path, headers, body) {
  const { hostname, port } = new URL(origin);
  return new Promise((done, failed) => {
    const asked = request({ hostname, port, method, path, headers }, (answer) => {
      let text = "";
      answer.on("data", (piece) => (text += piece));
      answer.on("end", () => done({ status: answer.statusCode, headers: answer.headers, text }));
    });
    asked.on("error", failed);
    asked.end(body);
  });
}

const browser = await chromium.launch({
  executablePath: CHROMIUM,
  args: ["--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"],
});
const troubles = [];
let isDown = false;

async function open(options) {
  const context = await browser.newContext({ viewport: { width: 1440, height: 900 }, colorScheme: "dark", ...options });
  const page = await context.newPage();
  page.setDefaultTimeout(30_000);
  page.on("pageerror", (error) => troubles.push(`a script failed: ${error.stack}`));
  page.on("console", (said) => {
    // The browser's own words about answers that are no success.
    const isAnswer = said.text().startsWith("Failed to load resource");
    if (["error", "warning"].includes(said.type()) && !isAnswer) troubles.push(`the browser says: ${said.text()}`);
  });
  page.on("request", (asked) => {
    if (!asked.url().startsWith(`${origin}/`) && !asked.url().startsWith("data:"))
      troubles.push(`the page asks elsewhere: ${asked.url()}`);
  });
  page.on("response", (answer) => {
    if (answer.status() >= 500 && !isDown) troubles.push(`${answer.url()} is answered with ${answer.status()}`);
  });
  return page;
}

const picture = (page, name) => page.screenshot({ path: `${folder}/${name}.png` });
const at = async (page, place) => {
  await page.goto(`${origin}/#/${place}`);
  await page.locator("main section").first().waitFor();
};
/** Lets rates and drawings come. */
const settle = (page) => page.waitForTimeout(3500);

// ----------------------------------------------------------------------------------------------------------------------

const page = await open();

step("the overview draws services and real servers with live rates");
await at(page, "overview");
await page.getByText(NAT, { exact: true }).first().waitFor();
await page.getByText(RS1).first().waitFor();
await page
  .locator(".node-service", { hasText: NAT })
  .getByText(/[1-9][\d.]*\s?k?pps/)
  .waitFor();
await settle(page);
await picture(page, "overview-dark");

step("services: sorted, searched, opened by keyboard");
await at(page, "services");
await page.locator(".rows .row").first().waitFor();
assert.equal(await page.locator(".rows .row").count(), services().length);
await page.getByRole("columnheader", { name: "Packets" }).getByRole("button").click();
await page.locator('[aria-sort="descending"]').waitFor();
await eventually("the busiest service is the first", async () =>
  (await page.locator(".rows .row").first().innerText()).includes(NAT),
);
await settle(page);
await picture(page, "services-dark");
await page.keyboard.press("Escape");
await page.locator("body").press("/");
await eventually("the search has the focus", () => page.evaluate(() => document.activeElement?.id === "search"));
await page.keyboard.type("0.101:80");
await eventually("one service is found", async () => (await page.locator(".rows .row").count()) === 1);
await page.locator(".grid").focus();
await page.keyboard.press("Enter");
await page.getByRole("heading", { name: NAT }).waitFor();
await settle(page);
await picture(page, "service-dark");

step("who has no token may change nothing");
assert.equal(await page.getByRole("button", { name: `Weight of ${RS1}` }).count(), 0);
await page.getByRole("button", { name: "Read-only" }).click();
await page.getByLabel("Token").fill("x".repeat(64));
await page.getByRole("button", { name: "Edit", exact: true }).click();
await page.getByText("That is not the token.").waitFor();
await picture(page, "token-wrong");
await page.getByLabel("Token").fill(token);
await page.getByRole("button", { name: "Edit", exact: true }).click();
await page.getByRole("button", { name: "Editing" }).waitFor();

const dialog = page.getByRole("dialog");
const diff = dialog.locator(".diff li");
async function apply(name, lines, button) {
  await diff.first().waitFor();
  for (const line of lines)
    await eventually(`the preview says ${line}`, async () => (await diff.allInnerTexts()).join("\n").includes(line));
  await picture(page, `change-${name}`);
  await dialog.getByRole("button", { name: button, exact: true }).click();
  await dialog.waitFor({ state: "detached" });
}

step("a weight: previewed, then set");
await page.getByRole("button", { name: `Weight of ${RS1}` }).click();
await dialog.getByLabel("Weight").fill("7");
await eventually("the preview", async () => (await diff.count()) === 1);
assert.equal(server(NAT, RS1).weight, 1, "a preview changes nothing");
await apply("weight", [RS1, "weight 7"], "Set weight");
assert.equal(server(NAT, RS1).weight, 7);

step("a real server: drained with a deadline, and no longer");
await page.getByRole("button", { name: `Drain ${RS2}` }).click();
await dialog.getByLabel("Take it out when it is empty").check();
await dialog.getByLabel("At the latest after").fill("10m");
await apply("drain", [`${RS2} drained, to be taken out`, "600 s"], "Drain");
await eventually("it is drained", () => server(NAT, RS2).drain === "quiescent");
assert.ok(Math.abs(server(NAT, RS2).removal - Date.now() / 1000 - 600) < 60);
await page
  .getByText(/draining|taken out/)
  .first()
  .waitFor();
await page.getByRole("button", { name: `End draining ${RS2}` }).click();
await apply("undrain", [`${RS2} no longer drained`], "End draining");
await eventually("it is not drained any more", () => server(NAT, RS2).drain === "no");

step("a real server: removed and added, wrong addresses told");
await page.getByRole("button", { name: `Remove ${RS3}` }).click();
await apply("remove-server", [`- ${NAT} real server ${RS3}`], "Remove");
assert.equal(server(NAT, RS3), undefined);
await page.getByRole("button", { name: "Add real server" }).click();
await dialog.getByPlaceholder("10.0.0.11:8080").fill("nowhere");
await dialog.getByText(/expected an IP address/).waitFor();
assert.ok(await dialog.getByRole("button", { name: "Add", exact: true }).isDisabled());
await picture(page, "change-refused");
await dialog.getByPlaceholder("10.0.0.11:8080").fill(RS3);
await apply("add-server", [`+ ${NAT} real server ${RS3}`, "nat"], "Add");
assert.equal(server(NAT, RS3).method, "nat");

step("a real server behind a tunnel: GUE with its port and checksum, then away");
const TUNNELLED = "10.77.2.14:80";
await page.getByRole("button", { name: "Add real server" }).click();
await dialog.getByPlaceholder("10.0.0.11:8080").fill(TUNNELLED);
assert.equal(await dialog.getByLabel("Type of tunnel").count(), 0, "NAT has no tunnel");
await dialog.getByLabel("Forwarding method").selectOption("tun");
assert.equal(await dialog.getByLabel("UDP port of the tunnel").count(), 0, "IPIP has no port");
await dialog.getByLabel("Type of tunnel").selectOption("gre");
await dialog.getByLabel("Checksum of the tunnel").selectOption("csum");
await dialog.getByLabel("Type of tunnel").selectOption("gue");
await dialog.getByLabel("UDP port of the tunnel").fill("0");
assert.ok(await dialog.getByRole("button", { name: "Add", exact: true }).isDisabled(), "a port has to be one");
await dialog.getByLabel("UDP port of the tunnel").fill("6081");
await dialog.getByLabel("Checksum of the tunnel").selectOption("remcsum");
await apply("add-tunnel", [`+ ${NAT} real server ${TUNNELLED}`, "tun"], "Add");
const { method, tun_type, tun_port, tun_checksum } = server(NAT, TUNNELLED);
assert.deepEqual({ method, tun_type, tun_port, tun_checksum }, { method: "tun", tun_type: "gue", tun_port: 6081, tun_checksum: "remcsum" });
await page.getByRole("button", { name: `Remove ${TUNNELLED}` }).click();
await apply("remove-tunnel", [`- ${NAT} real server ${TUNNELLED}`], "Remove");

step("a scheduler");
await page.getByRole("button", { name: "Scheduler" }).click();
await dialog.getByLabel("Scheduler").selectOption("wlc");
await apply("scheduler", ["rr", "wlc"], "Set scheduler");
assert.equal(service(NAT).scheduler, "wlc");

step("a service: added and removed");
await at(page, "services");
await page.getByRole("button", { name: "Add service" }).click();
await dialog.getByPlaceholder("192.0.2.100:80").fill("192.0.2.55:443");
await dialog.getByLabel("Persistence").fill("5m");
await apply("add-service", ["+ tcp 192.0.2.55:443"], "Add");
assert.equal(service("tcp 192.0.2.55:443").persistence, 300);
await page.locator(".rows .row", { hasText: "192.0.2.55" }).click();
await page.getByText("It has no real servers").waitFor();
await picture(page, "service-empty");
await page.getByRole("button", { name: "Remove" }).click();
await apply("remove-service", ["- tcp 192.0.2.55:443"], "Remove");
assert.equal(service("tcp 192.0.2.55:443"), undefined);
await page.getByText("There is no service tcp 192.0.2.55:443").waitFor();

step("workers, drops, connections, events");
for (const [place, text] of [
  ["workers", "Ports"],
  ["drops", "Given to the kernel since the start"],
  ["connections", "10.77.1.10:"],
  ["events", "- tcp 192.0.2.55:443"],
]) {
  await at(page, place);
  await page.getByText(text).first().waitFor();
  await settle(page);
  await picture(page, `${place}-dark`);
}

step("light, by the switch and by the system");
await at(page, "overview");
await page.getByRole("button", { name: "Light colours" }).click();
await settle(page);
assert.equal(await page.evaluate(() => document.documentElement.dataset.theme), "light");
await picture(page, "overview-light");
const light = await open({ colorScheme: "light" });
await at(light, `services/${encodeURIComponent(NAT)}`);
await settle(light);
assert.equal(await light.evaluate(() => document.documentElement.dataset.theme), "light");
await picture(light, "service-light");
await light.getByRole("button", { name: "Help" }).click();
await light.getByRole("dialog").waitFor();
await picture(light, "help-light");
await light.close();

const PLACES = [
  "overview",
  "services",
  `services/${encodeURIComponent(NAT)}`,
  "workers",
  "drops",
  "connections",
  "events",
];

step("a phone of 360 pixels: nothing stands out");
const phone = await open({ viewport: { width: 360, height: 740 }, isMobile: true, hasTouch: true });
for (const place of PLACES) {
  await at(phone, place);
  await settle(phone);
  const width = await phone.evaluate(() => document.documentElement.scrollWidth);
  assert.ok(width <= 360, `${place} is ${width} pixels wide`);
  await phone.screenshot({ path: `${folder}/phone-${place.replace(/\/.*/, "-one")}.png`, fullPage: true });
}
await phone.close();

step("everything that is pressed has a name");
for (const place of PLACES) {
  await at(page, place);
  const nameless = await page.evaluate(() => {
    const name = (element) =>
      (element.getAttribute("aria-label") ?? element.textContent ?? "").trim() ||
      element.labels?.[0]?.textContent?.trim() ||
      element.getAttribute("title");
    return [...document.querySelectorAll("button, a, input, select, [role=img]")]
      .filter((one) => !name(one))
      .map((one) => one.outerHTML);
  });
  assert.deepEqual(nameless, [], place);
}

// ----------------------------------------------------------------------------------------------------------------------

step("other sites can neither act nor look");
const edits = JSON.stringify({ edits: [{ edit_real_server: { service: NAT, real_server: RS1, weight: 66 } }] });
const own = {
  "content-type": "application/json",
  authorization: `Bearer ${token}`,
  "content-length": Buffer.byteLength(edits),
};
const { host } = new URL(origin);
for (const [what, headers, status] of [
  ["another origin", { ...own, host, origin: "http://evil.example" }, 403],
  ["another site", { ...own, host, "sec-fetch-site": "cross-site" }, 403],
  ["a name led here", { ...own, host: "evil.example" }, 421],
  ["no token", { ...own, host, authorization: "" }, 401],
  ["another type", { ...own, host, "content-type": "text/plain" }, 415],
]) {
  const answer = await raw("POST", "/v1/services", headers, edits);
  assert.equal(answer.status, status, `${what}: ${answer.text}`);
}
assert.equal((await raw("GET", "/", { host: "evil.example" })).status, 421);
assert.equal((await raw("GET", "/v1/status", { host })).status, 404, "what the page has no use for is not there");
const index = await raw("GET", "/", { host });
assert.match(index.headers["content-security-policy"], /default-src 'none'.*frame-ancestors 'none'/);
assert.equal(index.headers["x-content-type-options"], "nosniff");
assert.equal((await raw("GET", "/", { host, "if-none-match": index.headers.etag })).status, 304);
assert.equal(
  (await raw("POST", "/v1/services", { ...own, host, "content-length": 300_000 }, Buffer.alloc(300_000, 32))).status,
  413,
);

// A page that tries: an image, a form, a frame, and requests with and without permission.
const evil = createServer((_, answer) => {
  answer.setHeader("content-type", "text/html");
  answer.end(
    `<iframe id="frame" src="${origin}/"></iframe><form id="form" method="post" enctype="text/plain" target="frame" action="${origin}/v1/services"><input name='{"edits":[],"x":"' value='"}'></form>`,
  );
});
await new Promise((done) => evil.listen(0, "127.0.0.1", done));
const attacker = await (await browser.newContext()).newPage();
await attacker.goto(`http://127.0.0.1:${evil.address().port}/`);
const outcome = await attacker.evaluate(
  async ([origin, edits]) => {
    const tried = {};
    const attempt = async (name, options) => {
      try {
        const answer = await fetch(`${origin}/v1/services`, { method: "POST", body: edits, ...options });
        tried[name] = answer.type === "opaque" ? "opaque" : answer.status;
      } catch {
        tried[name] = "refused";
      }
    };
    await attempt("json", { headers: { "content-type": "application/json", authorization: "Bearer guess" } });
    await attempt("blind", { mode: "no-cors" });
    try {
      tried.read = (await fetch(`${origin}/v1/events`)).status;
    } catch {
      tried.read = "refused";
    }
    document.getElementById("form").submit();
    return tried;
  },
  [origin, edits],
);
assert.deepEqual(outcome, { json: "refused", blind: "refused", read: "refused" });
const frames = await eventually("the frame has ended", () => attacker.frames().length === 2 && attacker.frames());
assert.equal(await frames[1].locator("#console").count(), 0, "the page is shown in another site's frame");
evil.close();
assert.equal(server(NAT, RS1).weight, 7, "another site has changed a weight");

step("nothing of a service's name is taken for HTML");
await at(page, `services/${encodeURIComponent("<img src=x onerror=alert(1)>")}`).catch(() => undefined);
await page.getByText("There is no service <img").waitFor();

// ----------------------------------------------------------------------------------------------------------------------

step("ulvsd goes away: said with the time; it comes back: all goes on");
await at(page, "overview");
isDown = true;
process.kill(Number(ULVSD), "SIGTERM");
await page.getByText(/no answer since|answer is status .* since/).waitFor();
await page.waitForTimeout(1000);
await picture(page, "down");
const log = openSync(`${RUN}/ulvsd.log`, "a");
const again = spawn(XTASK, ["lab", "exec", "director", "ulvsd", "--config", `${RUN}/ulvs.toml`], {
  detached: true,
  stdio: ["ignore", log, log],
});
writeFileSync(`${RUN}/ulvsd.pid`, String(again.pid));
again.unref();
await page.locator(".pulse.tone-good").waitFor();
isDown = false;
await page.getByText(NAT, { exact: true }).first().waitFor();

step("10,000 services of 10 real servers");
mkdirSync(`${RUN}/ulvs.d`, { recursive: true });
const lines = [];
for (let number = 0; number < 10_000; number += 1) {
  lines.push(`[[service]]\naddress = "198.18.${number >> 8}.${number & 255}:80"\nprotocol = "tcp"\nscheduler = "wrr"`);
  for (let one = 0; one < 10; one += 1) {
    const real = (number * 10 + one) % 1000;
    lines.push(
      `[[service.real_server]]\naddress = "10.77.2.${20 + (real % 200)}:80"\nmethod = "nat"\nweight = ${(real % 5) + 1}`,
    );
  }
}
writeFileSync(`${RUN}/ulvs.d/many.toml`, lines.join("\n"));
ctl("apply");
await at(page, "services");
await page.getByText(/10\s00\d services/).waitFor();
await page.locator(".rows .row .c-name").first().waitFor();
const drawn = () => page.locator(".rows .row").count();
assert.ok((await drawn()) < 100, `${await drawn()} rows are drawn`);
const frameTimes = await page.evaluate(async () => {
  const grid = document.querySelector(".grid");
  const times = [];
  let before = performance.now();
  for (let number = 0; number < 120; number += 1) {
    grid.scrollTop += 700;
    await new Promise((done) => requestAnimationFrame(done));
    times.push(performance.now() - before);
    before = performance.now();
  }
  return times.sort((one, other) => one - other);
});
console.log(
  `  scrolling: a frame in ${frameTimes[60].toFixed(1)} ms in the median, ${frameTimes[114].toFixed(1)} ms in 95 %`,
);
assert.ok((await drawn()) < 100);
await page.locator(".grid").focus();
await page.keyboard.press("End");
const last = services().at(-1).address;
await page.locator(".rows .row", { hasText: last }).waitFor();
await page.getByRole("columnheader", { name: "Service" }).getByRole("button").click();
await page.getByLabel("Search services").fill("198.18.39.");
await page.locator(".rows .row", { hasText: "198.18.39.15:80" }).waitFor();
await picture(page, "services-10000");
const cost = () =>
  Number(readFileSync(`/proc/${readFileSync(`${RUN}/ulvsd.pid`, "utf8")}/schedstat`, "utf8").split(" ")[0]) / 1e6;
const before = cost();
await page.waitForTimeout(5000);
console.log(
  `  a viewer of 10,000 services costs ulvsd's control thread ${((cost() - before) / 5).toFixed(1)} ms a second`,
);
await at(page, "overview");
await settle(page);
await picture(page, "overview-10000");

assert.deepEqual(troubles, []);
await browser.close();
console.log(`pictures: ${folder}`);
