// Upload a file with tus-js-client: node upload.mjs '<JSON order>'; prints one line of JSON.
// An order with `abortAt` gives up after so many bytes, leaving the upload's address behind.
import { readFileSync } from "node:fs";
import * as tus from "tus-js-client";

const order = JSON.parse(process.argv[2]);
const file = readFileSync(order.path);
const statuses = [];
const say = (outcome) => {
  console.log(JSON.stringify({ ...outcome, url: upload.url, statuses }));
  process.exit(0);
};
const upload = new tus.Upload(file, {
  endpoint: order.endpoint,
  uploadUrl: order.url ?? null,
  headers: { Authorization: `Bearer ${order.token}` },
  metadata: { photo: order.photo, filename: "../../etc/passwd.jpg" },
  chunkSize: order.chunkSize ?? Infinity,
  retryDelays: order.retryDelays ?? null,
  uploadDataDuringCreation: order.during ?? false,
  onAfterResponse: (request, response) => {
    statuses.push(`${request.getMethod()} ${response.getStatus()}`);
  },
  onChunkComplete: (_size, accepted) => {
    if (order.abortAt && accepted >= order.abortAt) {
      upload.abort(order.terminate ?? false).then(() => say({ aborted: accepted }));
    }
  },
  onError: (error) => say({ error: error.originalResponse?.getStatus() ?? String(error) }),
  onSuccess: () => say({ done: true }),
});
upload.start();
