/** The page: a recording comes in, is restored, is heard, is saved. */
import { proxy } from "comlink";
import { Drawing } from "./canvas.ts";
import { Cancelled, Engine } from "./engine.ts";
import { offline, sharedFile } from "./offline.ts";
import { Player } from "./player.ts";
import { decoded, Microphone } from "./recording.ts";
import { RATE_HZ, shared } from "./sound.ts";

const element = <T extends HTMLElement = HTMLElement>(id: string) => document.getElementById(id) as T;
const button = (id: string) => element<HTMLButtonElement>(id);
const file = element<HTMLInputElement>("file");
const [record, play, cancel, save, check] = [button("record"), button("play"), button("cancel"), button("save"), button("check")];
/** What waits while the engine is at work. */
const waiting = [file, record, save, check];
const [position, strength] = [element<HTMLInputElement>("position"), element<HTMLInputElement>("strength")];
const progress = element<HTMLProgressElement>("progress");

interface Result {
  readonly name: string;
  readonly given: AudioBuffer;
  readonly restored: AudioBuffer;
  readonly player: Player;
}

const engine = new Engine(new URL("./bundle/", location.href), (share) => (progress.value = share));
const drawings = ["before", "after"].map((id) =>
  new Drawing(element<HTMLCanvasElement>(`picture-${id}`), (share) => seek(share * (result?.player.durationS ?? 0))));
let result: Result | undefined;
let microphone: Microphone | undefined;

/** Says how things stand, to eyes and to screen readers. */
function say(text: string, failed = false): void {
  const status = element("status");
  status.textContent = text;
  status.classList.toggle("error", failed);
}

/** Runs what may fail, with the progress bar shown. */
async function working(said: string, task: () => Promise<string>): Promise<void> {
  say(said);
  progress.value = 0;
  element("working").hidden = false;
  for (const control of waiting) control.disabled = true;
  try {
    say(await task());
  } catch (error) {
    say(error instanceof Cancelled ? "Cancelled." : String((error as Error).message), !(error instanceof Cancelled));
  } finally {
    element("working").hidden = true;
    for (const control of waiting) control.disabled = false;
  }
}

/** Restores a recording and shows it beside what came in. */
async function restore(name: string, recording: () => Promise<AudioBuffer>): Promise<void> {
  result?.player.close();
  result = undefined;
  element("result").hidden = true;
  await working(`Reading ${name} …`, async () => {
    const given = await recording();
    say(`Restoring ${name} …`);
    const start = performance.now();
    const { restored, levels } = await restoredOf(given);
    const { duration } = performance.measure("restore", { start });
    await show(name, given, restored, levels);
    return `Restored ${clock(given.duration)} in ${clock(duration / 1000)}.`;
  });
}

/** The restored sound, and the loudness in LUFS before and after. */
function restoredOf(given: AudioBuffer): Promise<{ restored: AudioBuffer; levels: [number, number] }> {
  const { length, numberOfChannels } = given;
  const restored = new AudioBuffer({ length, numberOfChannels, sampleRate: RATE_HZ });
  return engine.run(async (api) => {
    const levels = await api.restore(shared(given), proxy(async (channel, begin, block) => {
      restored.copyToChannel(block as Float32Array<ArrayBuffer>, channel, begin);
      progress.value = (channel + (begin + block.length) / length) / numberOfChannels;
    }));
    return { restored, levels };
  });
}

async function show(name: string, given: AudioBuffer, restored: AudioBuffer, levels: [number, number]): Promise<void> {
  const buffers = [given, restored] as const;
  const pictures = await engine.run((api) => Promise.all(buffers.map((buffer) => api.picture(shared(buffer)))));
  const player = new Player(buffers, levels, follow);
  result = { name, given, restored, player };
  position.max = String(player.durationS);
  element<HTMLInputElement>("after").checked = true;
  player.setStrength(strength.valueAsNumber / 100);
  element("result").hidden = false;
  const peak = pictures.reduce((most, { peaks }) => peaks.reduce((a, b) => Math.max(a, Math.abs(b)), most), 1e-3);
  await Promise.all(drawings.map((drawing, i) => drawing.show(pictures[i]!, peak)));
  seek(0);
}

function seek(seconds: number): void {
  if (!result) return;
  result.player.position = seconds;
  follow();
}

/** Moves the lines and the slider to where the player is, as long as it plays. */
function follow(): void {
  if (!result) return;
  const { player } = result;
  position.value = String(player.position);
  position.ariaValueText = `${clock(player.position)} of ${clock(player.durationS)}`;
  element("time").textContent = `${clock(player.position)} / ${clock(player.durationS)}`;
  drawings.forEach((drawing) => drawing.at(player.position / player.durationS));
  play.textContent = player.playing ? "Pause" : "Play";
  if (player.playing) requestAnimationFrame(follow);
}

function clock(seconds: number): string {
  if (seconds < 60) return `${seconds.toFixed(1)} s`;
  return `${Math.floor(seconds / 60)}:${String(Math.floor(seconds % 60)).padStart(2, "0")} min`;
}

async function saved(): Promise<string> {
  const { name, given, restored } = result!;
  const { file: written, gain } = await engine.run((api) => api.wav(shared(given), shared(restored), strength.valueAsNumber / 100));
  const link = document.createElement("a");
  link.href = URL.createObjectURL(written);
  link.download = `${name.replace(/\.[^.]*$/, "")}-restored.wav`;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 60_000);
  const attenuated = gain < 1 ? ` It would clip, so it was made ${(-20 * Math.log10(gain)).toFixed(1)} dB softer as a whole.` : "";
  return `Saved ${link.download}.${attenuated}`;
}

/** Whether this device computes what was computed when the bundle was made. */
async function checked(): Promise<string> {
  const verdicts = await engine.run((api) => api.check());
  const told = verdicts.map(({ name, snrDb }) => `${name} ${snrDb.toFixed(0)} dB`).join(", ");
  const wrong = verdicts.find(({ snrDb, floorDb }) => !(snrDb >= floorDb));
  if (wrong) throw new Error(`This device does not compute what PyTorch computed: ${told}; ${wrong.floorDb} dB are asked of ${wrong.name}.`);
  return `This device computes what PyTorch computed (signal to difference: ${told}).`;
}

async function recordOrStop(): Promise<void> {
  const open = microphone;
  microphone = undefined;
  if (open) await restore("the recording", () => open.stop());
  else {
    try {
      microphone = await Microphone.open();
      say("Recording …");
    } catch (error) {
      say((error as Error).message, true);
    }
  }
  record.textContent = microphone ? "Stop" : "Record";
  record.classList.toggle("primary", Boolean(microphone));
}

function take(given: File | null | undefined): void {
  if (given && !file.disabled) void restore(given.name, () => decoded(given));
}

function listen(): void {
  file.addEventListener("change", () => {
    take(file.files?.[0]);
    file.value = "";
  });
  const drop = element("drop");
  document.addEventListener("dragover", (event) => {
    event.preventDefault();
    drop.classList.add("over");
  });
  document.addEventListener("dragleave", () => drop.classList.remove("over"));
  document.addEventListener("drop", (event) => {
    event.preventDefault();
    drop.classList.remove("over");
    take(event.dataTransfer?.files[0]);
  });
  record.addEventListener("click", () => void recordOrStop());
  cancel.addEventListener("click", () => engine.cancel());
  save.addEventListener("click", () => void working("Writing …", saved));
  check.addEventListener("click", () => void working("Checking …", checked));
  play.addEventListener("click", () => {
    if (result?.player.playing) result.player.pause();
    else result?.player.play();
    follow();
  });
  position.addEventListener("input", () => seek(position.valueAsNumber));
  strength.addEventListener("input", () => {
    element("strength-value").textContent = `${strength.value} %`;
    result?.player.setStrength(strength.valueAsNumber / 100);
  });
  for (const id of ["before", "after"]) {
    element(id).addEventListener("change", () => result?.player.listen(element<HTMLInputElement>("after").checked));
  }
}

async function started(): Promise<void> {
  listen();
  await offline();
  await working("Loading the model …", async () => {
    await engine.run(async () => {});
    const threads = engine.threads === 1 ? "one thread" : `${engine.threads} threads`;
    const offline = navigator.serviceWorker.controller ? " The page works offline." : "";
    element("engine").textContent = `Computed here, on ${threads}.${offline}`;
    return "Ready.";
  });
  take(await sharedFile());
}

void started();
