import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { findFreePort, PeerProcess } from "./peer-process.ts";
import { programVersion } from "./versions.ts";

/** A reverse proxy that ends TLS and passes everything on to one port. */
export interface ReverseProxy {
  readonly name: string;
  readonly version: string;
  readonly start: (target: ProxyTarget) => Promise<RunningProxy>;
}

export interface ProxyTarget {
  /** Port of the server behind. */
  readonly port: number;
  readonly certificate: { readonly key: string; readonly cert: string };
}

export interface RunningProxy {
  readonly port: number;
  readonly process: PeerProcess;
  stop(): Promise<void>;
}

interface Setup {
  readonly folder: string;
  readonly listenPort: number;
  readonly targetPort: number;
}

/** Every proxy. */
export const proxies: readonly ReverseProxy[] = [
  {
    name: "nginx",
    version: programVersion("/usr/sbin/nginx", "-v"),
    start: startProxy("/usr/sbin/nginx", ({ folder, listenPort, targetPort }) => ({
      args: ["-p", folder, "-e", "stderr", "-c", join(folder, "config")],
      config: `
        daemon off;
        master_process off;
        pid ${folder}/pid;
        error_log stderr;
        events {}
        http {
          access_log off;
          client_body_temp_path ${folder}/body;
          proxy_temp_path ${folder}/proxy;
          fastcgi_temp_path ${folder}/fastcgi;
          uwsgi_temp_path ${folder}/uwsgi;
          scgi_temp_path ${folder}/scgi;
          server {
            listen 127.0.0.1:${listenPort} ssl;
            ssl_certificate ${folder}/cert.pem;
            ssl_certificate_key ${folder}/key.pem;
            location / {
              proxy_pass http://127.0.0.1:${targetPort};
              proxy_http_version 1.1;
              proxy_set_header Upgrade $http_upgrade;
              proxy_set_header Connection "upgrade";
              proxy_set_header Host $host;
            }
          }
        }
      `,
    })),
  },
  {
    name: "haproxy",
    version: programVersion("/usr/sbin/haproxy", "-v"),
    start: startProxy("/usr/sbin/haproxy", ({ folder, listenPort, targetPort }) => ({
      args: ["-db", "-f", join(folder, "config")],
      config: [
        "defaults",
        "  mode http",
        "  timeout connect 10s",
        "  timeout client 60s",
        "  timeout server 60s",
        "  timeout tunnel 60s",
        "frontend tls",
        `  bind 127.0.0.1:${listenPort} ssl crt ${folder}/both.pem`,
        "  default_backend sluice",
        "backend sluice",
        `  server sluice 127.0.0.1:${targetPort}`,
        "",
      ].join("\n"),
    })),
  },
  {
    name: "caddy",
    version: programVersion("/usr/bin/caddy", "version"),
    start: startProxy("/usr/bin/caddy", ({ folder, listenPort, targetPort }) => ({
      args: ["run", "--adapter", "caddyfile", "--config", join(folder, "config")],
      config: [
        "{",
        "  admin off",
        "  auto_https off",
        "}",
        `https://localhost:${listenPort} {`,
        "  bind 127.0.0.1",
        `  tls ${folder}/cert.pem ${folder}/key.pem`,
        `  reverse_proxy 127.0.0.1:${targetPort}`,
        "}",
        "",
      ].join("\n"),
    })),
  },
];

function startProxy(
  command: string,
  create: (setup: Setup) => { args: readonly string[]; config: string },
): ReverseProxy["start"] {
  return async ({ port: targetPort, certificate }) => {
    const folder = mkdtempSync(join(tmpdir(), "sluice-interop-"));
    const listenPort = await findFreePort();
    const { args, config } = create({ folder, listenPort, targetPort });
    writeFileSync(join(folder, "config"), config);
    writeFileSync(join(folder, "cert.pem"), certificate.cert);
    writeFileSync(join(folder, "key.pem"), certificate.key);
    writeFileSync(join(folder, "both.pem"), `${certificate.cert}\n${certificate.key}`);
    const process = new PeerProcess(command, args, { HOME: folder, XDG_DATA_HOME: folder, XDG_CONFIG_HOME: folder });
    await process.listens(listenPort);
    return {
      port: listenPort,
      process,
      async stop() {
        await process.stop();
        rmSync(folder, { recursive: true, force: true });
      },
    };
  };
}
