import assert from "node:assert/strict";
import { test } from "node:test";
import { shownHeaders, shownText } from "./event.ts";

function shown(name: string, value: string): string {
  const [field] = shownHeaders({ length: 1, nameAt: () => name, valueAt: () => value });
  assert.equal(field?.[0], name);
  return field[1];
}

const secrets = [
  "authorization",
  "proxy-authorization",
  "cookie",
  "set-cookie",
  "x-api-key",
  "apikey",
  "x-goog-api-key",
  "x-auth-token",
  "x-csrf-token",
  "private-token",
  "x-amz-security-token",
  "x-forwarded-access-token",
  "x-client-secret",
  "x-session-id",
  "x-jwt-assertion",
  "x-hub-signature-256",
  "x-password",
  "x-sessiontoken",
  "x-sessionid",
  "ocp-apim-subscription-key",
  "x-functions-key",
  "x-passphrase",
];
for (const name of secrets) {
  test(`the value of ${name} is not shown`, () => assert.equal(shown(name, "a-secret"), "[redacted]"));
}

test("other fields are shown, whatever they resemble", () => {
  const names = [
    "accept",
    "content-type",
    "x-request-id",
    "x-author",
    "x-forwarded-client-cert",
    "grpc-status",
    ":authority",
    "idempotency-key",
  ];
  for (const name of names) assert.equal(shown(name, "plain"), "plain", name);
});

const texts: readonly [text: string, expected: string][] = [
  ["/books?page=2&author=code", "/books?page=2&author=code"],
  ["/me?access_token=abc.def&x=1", "/me?access_token=[redacted]&x=1"],
  ["/callback?state=1&code=abc", "/callback?state=1&code=[redacted]"],
  ["/get?X-Amz-Signature=abc#x", "/get?X-Amz-Signature=[redacted]#x"],
  [
    "/get?apiKey=abc&apikey=def&accessToken=ghi&sessionid=jkl",
    "/get?apiKey=[redacted]&apikey=[redacted]&accessToken=[redacted]&sessionid=[redacted]",
  ],
  ["/shop;jsessionid=abc", "/shop;jsessionid=[redacted]"],
  ["/shop.json?auth=abc", "/shop.json?auth=[redacted]"],
  ["https://web.example/#access_token=abc&state=1", "https://web.example/#access_token=[redacted]&state=1"],
  ["/login?next=/cb?token=a?b;c=d&x=1", "/login?next=/cb?token=[redacted]&x=1"],
  ["/x?token=&y=1", "/x?token=&y=1"],
  ["/me?access%5Ftoken=abc&x=1", "/me?access%5Ftoken=[redacted]&x=1"],
  ["/me?%61ccess_toke%6e=abc;d&%43ODE=e", "/me?%61ccess_toke%6e=[redacted]&%43ODE=[redacted]"],
  ["/me?api%2Dkey=abc&p%61ge=2", "/me?api%2Dkey=[redacted]&p%61ge=2"],
  ["/me?%zz=1&%=2&%C3token=3", "/me?%zz=1&%=2&%C3token=[redacted]"],
  ["/cb?next=%2Fa%3Ftoken%3Dabc", "/cb?next=%2Fa%3Ftoken%3D[redacted]"],
  ["text/html;q=0.8, */*;q=0.7", "text/html;q=0.8, */*;q=0.7"],
  ["https://web.example/?api_key=abc", "https://web.example/?api_key=[redacted]"],
  ["https://ann:pass@web.example/", "https://[redacted]@web.example/"],
  ["/b\xc3\xbccher", "/bücher"],
  ["/b\xfccher", "/bücher"],
  ["\xff\xfe", "\xff\xfe"],
];
for (const [text, expected] of texts) {
  test(`${JSON.stringify(text)} is shown as ${JSON.stringify(expected)}`, () =>
    assert.equal(shownText(text), expected));
}
