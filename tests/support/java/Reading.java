import java.util.ArrayList;
import java.util.Date;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.TreeSet;
import javax.management.Attribute;
import javax.management.MBeanAttributeInfo;
import javax.management.MBeanServerConnection;
import javax.management.ObjectInstance;
import javax.management.ObjectName;
import javax.management.openmbean.CompositeData;
import javax.management.openmbean.TabularData;
import javax.management.remote.JMXConnector;
import javax.management.remote.JMXConnectorFactory;
import javax.management.remote.JMXServiceURL;

/**
 * Prints every value of a JVM as a Java client reads it, one per line:
 * domain<key=value, ...><path, ...>attribute: value. Arguments: URL, pattern, and a login if any.
 */
public class Reading {
    static Map<String, String> properties(ObjectName name) {
        Map<String, String> found = new LinkedHashMap<>();
        String rest = name.getKeyPropertyListString();
        while (!rest.isEmpty()) {
            int equals = rest.indexOf('=');
            int end = equals + 1;
            if (rest.charAt(end) == '"') {
                end++;
                while (rest.charAt(end) != '"') {
                    end += rest.charAt(end) == '\\' ? 2 : 1;
                }
                end++;
            } else {
                while (end < rest.length() && rest.charAt(end) != ',') {
                    end++;
                }
            }
            found.put(rest.substring(0, equals), rest.substring(equals + 1, end));
            rest = end < rest.length() ? rest.substring(end + 1) : "";
        }
        return found;
    }

    static void show(String domain, Map<String, String> keys, List<String> path, String name, Object value) {
        if (value instanceof Date) {
            value = ((Date) value).getTime() / 1000.0;
        }
        if (value instanceof Enum) {
            value = value.toString();
        }
        if (value instanceof Number || value instanceof String || value instanceof Boolean) {
            StringBuilder text = new StringBuilder(domain + "<" + String.join(", ", pairs(keys)) + "><");
            text.append(String.join(", ", path)).append(">").append(name).append(": ").append(value);
            StringBuilder shown = new StringBuilder();
            for (char c : text.toString().toCharArray()) {
                shown.append(c < 32 || c > 126 ? String.format("\\u%04x", (int) c) : String.valueOf(c));
            }
            System.out.println(shown);
        } else if (value instanceof CompositeData) {
            CompositeData data = (CompositeData) value;
            List<String> inside = new ArrayList<>(path);
            inside.add(name);
            for (String key : new TreeSet<>(data.getCompositeType().keySet())) {
                show(domain, keys, inside, key, data.get(key));
            }
        } else if (value instanceof TabularData) {
            table(domain, keys, path, name, (TabularData) value);
        }
    }

    static void table(String domain, Map<String, String> keys, List<String> path, String name, TabularData table) {
        List<String> index = table.getTabularType().getIndexNames();
        for (Object row : table.values()) {
            CompositeData data = (CompositeData) row;
            Map<String, String> extended = new LinkedHashMap<>(keys);
            for (String column : index) {
                String free = column;
                while (extended.containsKey(free)) {
                    free += "_";
                }
                extended.put(free, data.get(column).toString());
            }
            for (String column : new TreeSet<>(data.getCompositeType().keySet())) {
                List<String> inside = new ArrayList<>(path);
                if (index.contains(column)) {
                    continue;
                }
                if (column.equalsIgnoreCase("value")) {
                    show(domain, extended, inside, name, data.get(column));
                } else {
                    inside.add(name);
                    show(domain, extended, inside, column, data.get(column));
                }
            }
        }
    }

    static List<String> pairs(Map<String, String> keys) {
        List<String> found = new ArrayList<>();
        keys.forEach((key, value) -> found.add(key + "=" + value));
        return found;
    }

    public static void main(String[] arguments) throws Exception {
        Map<String, Object> environment = new HashMap<>();
        if (arguments.length > 3) {
            environment.put(JMXConnector.CREDENTIALS, new String[] {arguments[2], arguments[3]});
        }
        JMXServiceURL url = new JMXServiceURL(arguments[0]);
        try (JMXConnector connector = JMXConnectorFactory.connect(url, environment)) {
            MBeanServerConnection server = connector.getMBeanServerConnection();
            for (ObjectInstance found : server.queryMBeans(new ObjectName(arguments[1]), null)) {
                ObjectName name = found.getObjectName();
                for (MBeanAttributeInfo about : server.getMBeanInfo(name).getAttributes()) {
                    try {
                        Object value = server.getAttribute(name, about.getName());
                        show(name.getDomain(), properties(name), new ArrayList<>(), about.getName(), value);
                    } catch (Exception error) {
                        // What cannot be read is not shown, as by us.
                    }
                }
            }
        }
    }
}
