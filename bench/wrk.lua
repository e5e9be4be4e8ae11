-- Posts events whose ids are all different. Arguments after `--`: FILE PATH RUN. A line of FILE is the key, a tab
-- and the body, in which 18 @ stand for an event's id; what comes of it is printed as JSON.
local MARK = string.rep("@", 18)
local threads = 0

function setup(thread)
  thread:set("number", threads)
  threads = threads + 1
end

local function pieces_of(text)
  local pieces, from = {}, 1
  while true do
    local first, last = text:find(MARK, from, true)
    if not first then break end
    pieces[#pieces + 1] = text:sub(from, first - 1)
    pieces[#pieces + 1] = false
    from = last + 1
  end
  pieces[#pieces + 1] = text:sub(from)
  return pieces
end

function init(args)
  local file, path = args[1], args[2]
  run = tonumber(args[3])
  templates, turn, sent = {}, number * 17, 0
  for line in io.lines(file) do
    local key, body = line:match("^(%S+)\t(.*)$")
    templates[#templates + 1] = pieces_of(table.concat({
      "POST ", path, " HTTP/1.1\r\nHost: localhost\r\nX-Api-Key: ", key,
      "\r\nContent-Type: application/json\r\nContent-Length: ", #body, "\r\n\r\n", body,
    }))
  end
end

function request()
  turn = turn % #templates + 1
  local pieces = templates[turn]
  local filled = {}
  for place = 1, #pieces do
    local piece = pieces[place]
    if not piece then
      sent = sent + 1
      piece = string.format("w%05d%02d%010d", run, number, sent)
    end
    filled[place] = piece
  end
  return table.concat(filled)
end

function done(summary, latency)
  local e = summary.errors
  print(string.format(
    '\n{"requests": %d, "seconds": %f, "refused": %d, "broken": %d, "p50_ms": %f, "p99_ms": %f}',
    summary.requests, summary.duration / 1e6, e.status, e.connect + e.read + e.write + e.timeout,
    latency:percentile(50) / 1e3, latency:percentile(99) / 1e3
  ))
end
